import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { talker } from '../../fixtures/http/sockets.ts';
import { type Words, words } from '../../fixtures/http/streaming.ts';
import { refusal, SocketClient } from '../../support/http/socket-client.ts';
import { eventually } from '../../support/until.ts';
import { type TalkingApp, talking } from './setup.ts';

let app: TalkingApp;
beforeAll(async () => {
  app = await talking({
    app: talker.options({ maxOngoingRequests: 100 }).bind(words.bind()),
    webSocket: { messageLimit: '2mb' },
    middleware: { locals: () => ({ user: 'ada' }), call: () => ({ tenant: 'acme' }) },
  });
});
afterAll(() => app[Symbol.asyncDispose]());

const connect = (path: string, options = {}) => SocketClient.connect(app.port, path, options);
const until = (event: string) => app.handle.until.remote(event);

describe('messages', () => {
  test('text and bytes come back as they went, in their order', async () => {
    for (const path of ['/echo', '/iterate']) {
      using client = await connect(path);
      const binary = Buffer.from([0, 255, 1]);
      client.send('grüße 🚀').send(binary).send('').send(Buffer.alloc(0));
      expect(await client.take(4)).toEqual(['grüße 🚀', binary, '', Buffer.alloc(0)]);
      for (let index = 0; index < 1_000; index++) client.send(`${index}`);
      expect(await client.take(1_000)).toEqual(Array.from({ length: 1_000 }, (_, index) => `${index}`));
    }
  });

  test('1 MiB of bytes and of text', async () => {
    using client = await connect('/echo');
    const bytes = Buffer.alloc(1_048_576, 7);
    client.send(bytes).send('x'.repeat(1_048_576));
    expect(bytes.equals((await client.next()) as Buffer)).toBe(true);
    expect(await client.next()).toHaveLength(1_048_576);
  });

  test('everything that may be sent is, as it was when it was sent; anything else is refused', async () => {
    using client = await connect('/kinds');
    const [blob, text, buffer, view, shared, error] = await client.take(6);
    expect(String(blob)).toBe('blob');
    expect(text).toBe('text');
    expect([buffer, view, shared]).toEqual([Buffer.from([1, 2, 3]), Buffer.from([2, 3]), Buffer.from([9])]);
    expect(error).toBe('TypeError');
  });

  test('what comes before anybody listens is kept', async () => {
    using client = await connect('/late?key=late');
    for (let index = 0; index < 200; index++) client.send(`${index}`);
    await until('late:began');
    await app.handle.open.remote('late');
    expect((await client.take(200)).at(-1)).toBe('199');
  });
});

describe('the end', () => {
  test('55: the server closes with a code and a reason', async () => {
    for (const [code, reason] of [
      [3000, 'enough'],
      [4999, ''],
      [1000, 'fine'],
      [1001, 'away'],
      [1011, ''],
    ] as const) {
      using client = await connect('/close');
      client.send(JSON.stringify([code, reason]));
      expect(await client.closed).toEqual({ code, reason });
    }
    using client = await connect('/close?key=none');
    client.send('[]');
    expect(await client.closed).toEqual({ code: 1005, reason: '' });
    await until('none:closed:1005::true');
  });

  test('codes that may not be sent are refused, and the connection goes on', async () => {
    using client = await connect('/refused-codes');
    const codes = [999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 1.5];
    client.send(JSON.stringify(codes));
    expect(await client.take(codes.length + 1)).toEqual([
      ...codes.map(() => 'InvalidAccessError'),
      'SyntaxError',
    ]);
    expect(await client.closed).toEqual({ code: 4000, reason: 'done' });
  });

  test('55: the client closes, and the handler is told; its place is free', async () => {
    for (const [code, reason] of [
      [1000, ''],
      [3000, 'bye'],
      [4999, 'grüße'],
    ] as const) {
      const key = `client-${code}`;
      using client = await connect(`/echo?key=${key}`);
      client.ws.close(code, reason);
      await until(`${key}:closed:${code}:${reason}:true`);
      expect(await client.closed).toEqual({ code, reason });
      expect(await app.handle.count.remote(`${key}:error`)).toBe(0);
    }
    await eventually(() => app.ongoing === 0);
  });

  test('a client that vanishes is told apart', async () => {
    using client = await connect('/echo?key=gone');
    client.ws.terminate();
    await until('gone:closed:1006::false');
    expect(await app.handle.count.remote('gone:error')).toBe(1);
  });

  test('a loop over the messages ends with the connection; one that is left closes it', async () => {
    using first = await connect('/iterate?key=loop');
    first.send('a');
    await first.next();
    first.ws.close();
    await until('loop:left');
    using second = await connect('/iterate?key=break');
    second.send('enough');
    expect(await second.closed).toEqual({ code: 1000, reason: '' });
    await eventually(() => app.ongoing === 0);
  });

  test('what a handler throws closes its connection with 1011, tells nobody, and is logged', async () => {
    for (const path of ['/break?key=b', '/break-listener?key=l']) {
      using other = await connect('/echo');
      using client = await connect(path);
      client.send('x');
      expect(await client.closed).toEqual({ code: 1011, reason: '' });
      other.send('still here');
      expect(await other.next()).toBe('still here');
    }
    await eventually(() =>
      ['secret break', 'secret listener break'].every((message) =>
        app.serve.log.records.some(
          ({ level, fields }) => level === 'error' && (fields as { err?: Error }).err?.message === message,
        ),
      ),
    );
  });

  test('what it throws before its first await is an answer, and no connection', async () => {
    for (const path of ['/refuse', '/refuse-async']) {
      const { status, body } = await refusal(app.port, path);
      expect([status, JSON.parse(body).title]).toEqual([401, 'members only']);
    }
    await eventually(() => app.ongoing === 0);
  });
});

describe('the call', () => {
  test('its context is that of an HTTP request, without a deadline', async () => {
    using client = await connect('/context', {
      headers: { 'x-request-id': 'mine' },
      origin: `http://127.0.0.1:${app.port}`,
    });
    client.send('?');
    expect(JSON.parse(String(await client.next()))).toEqual({
      requestId: 'mine',
      locals: { user: 'ada' },
      tenant: 'acme',
      ip: '127.0.0.1',
      protocol: '',
      url: `http://127.0.0.1:${app.port}/context`,
      readyState: 1,
      binaryType: 'arraybuffer',
      bufferedAmount: 0,
      origin: `http://127.0.0.1:${app.port}`,
    });
  });

  test("56: when the client leaves, its child's stream ends", async () => {
    using client = await connect('/words?key=w');
    client.send('go');
    expect(await client.next()).toBe('one');
    client.ws.close();
    await app.serve.handle<typeof Words>('Words', { app: 'Talker' }).until.remote('w:aborted');
    await until('w:SERVE_CANCELLED');
    // Calls made from then on run.
    await until('w:saved:0');
    await eventually(() => app.ongoing === 0);
  });
});

describe('the slower side', () => {
  test('a client that does not read stops a handler that asks', async () => {
    using client = await connect('/flood?key=slow');
    await client.next();
    client.ws.pause();
    let last = -1;
    let sent = 0;
    while (sent !== last) {
      last = sent;
      await new Promise((resolve) => setTimeout(resolve, 60));
      sent = await app.handle.count.remote('slow:sent');
    }
    // 16 KiB each: what the sockets of both ends hold, and the window.
    expect(sent).toBeLessThan(1_000);
    client.ws.resume();
    await app.handle.until.remote('slow:sent', sent + 100);
    client.ws.terminate();
    await until('slow:stopped');
  });

  test('a handler that does not read stops its client', async () => {
    using client = await connect('/deaf?key=deaf');
    const chunk = Buffer.alloc(65_536);
    const { ws } = client;
    const socket = Reflect.get(ws, '_socket') as { bytesWritten: number };
    let stood = -1;
    for (let sent = 0; sent < 512; sent++) ws.send(chunk);
    while (stood !== socket.bytesWritten || stood === 0) {
      stood = socket.bytesWritten;
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    expect(ws.bufferedAmount).toBeGreaterThan(8 * 1_048_576);
    ws.terminate();
    await app.handle.open.remote('deaf');
  });
});
