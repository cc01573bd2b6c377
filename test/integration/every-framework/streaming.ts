import { describe, expect, test } from 'vitest';
import { probe } from '../../fixtures/http/probe.ts';
import { open, RawClient, send, start } from '../../support/http/client.ts';
import { calmServe, freshKey, type Mount, ongoing, outcomes, settled, sharedProbe } from './setup.ts';

/** Bodies that come and go in pieces, at the pace of the slower side. */
export function streaming(mount: Mount): void {
  describe('streams', () => {
    const shared = sharedProbe(mount, { bodyLimit: '1gb' });
    const get = async (path: string) => {
      const client = await RawClient.connect(shared.port);
      client.head(`GET ${path} HTTP/1.1`, 'Host: h');
      return client;
    };

    test.each(['gated', 'gated-response'])(
      '53: %s: a chunk reaches the client before the next is produced',
      async (name) => {
        const key = freshKey();
        using client = await get(`/stream/${name}?key=${key}`);
        expect(await client.until('first')).not.toContain('second');
        expect(await shared.probe.count.remote(`${key}:second`)).toBe(0);
        await shared.probe.open.remote(key);
        expect(await client.until('0\r\n\r\n')).toMatch(/5\r\nfirst\r\n6\r\nsecond\r\n0\r\n\r\n$/);
      },
    );

    test('the head of a Response goes ahead of its first chunk', async () => {
      const key = freshKey();
      using client = await get(`/stream/late-first?key=${key}`);
      expect(await client.until('\r\n\r\n')).toMatch(
        /^HTTP\/1.1 200 OK\r\n[\s\S]*text\/event-stream[\s\S]*\r\n\r\n$/,
      );
      await shared.probe.open.remote(key);
      await client.until('at last');
    });

    test.each(['breaking', 'breaking-now', 'breaking-response'])(
      '54: %s: an error after two chunks breaks the connection',
      async (name) => {
        using client = await get(`/stream/${name}`);
        const answer = await client.closed();
        expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
        // Node 26 puts into one chunk what is written in one turn of the loop.
        expect(answer).toMatch(/\r\n\r\n(?:3\r\none\r\n3\r\ntwo|6\r\nonetwo)\r\n$/);
        expect(answer).not.toContain('secret');
      },
    );

    test('an error before the first chunk is an answer', async () => {
      expect(await send(shared.port, '/stream/breaking-at-once')).toMatchObject({ status: 500 });
    });

    test.each(['endless', 'endless-response'])('%s: a slow reader stops it', async (name) => {
      const key = freshKey();
      using client = await get(`/stream/${name}?key=${key}`);
      await client.until('200 OK');
      client.socket.pause();
      const produced = await settled(() => shared.probe.count.remote(`${key}:produced`));
      // 64 KiB each: what the sockets of both ends hold, and the stream's window.
      expect(produced).toBeLessThan(320);
      client.socket.resume();
      await shared.probe.until.remote(`${key}:produced`, produced + 20);
      client.socket.destroy();
      await shared.probe.until.remote(`${key}:finally`);
    });

    test.each(['ticking', 'endless'])('%s: its finally runs when the client leaves', async (name) => {
      const key = freshKey();
      using client = await get(`/stream/${name}?key=${key}`);
      await client.until('200 OK');
      client.socket.destroy();
      await shared.probe.until.remote(`${key}:finally`);
    });

    test.each(['silent', 'silent-readable'])(
      '%s: a stream that waits is cancelled when the client leaves, and its place is free',
      async (name) => {
        const key = freshKey();
        using client = await get(`/stream/${name}?key=${key}`);
        await client.until('hello');
        client.socket.destroy();
        await shared.probe.until.remote(`${key}:cancelled`);
        await expect.poll(() => ongoing(shared.serve)).toBe(0);
      },
    );

    test('a client is stopped when nobody reads its body', async () => {
      const key = freshKey();
      let pieces = 0;
      const sent = start(shared.port, `/wait/x?key=${key}`, {
        method: 'POST',
        body: (async function* () {
          for (; pieces < 1_000; pieces++) yield new Uint8Array(65_536);
        })(),
      });
      sent.on('error', () => {});
      await shared.probe.until.remote(`${key}:started`);
      // What the sockets of both ends hold, and the stream's window.
      expect(await settled(() => pieces)).toBeLessThan(320);
      // Nobody listens on the socket of a stopped client, so that it leaves is known when it is listened to again.
      sent.destroy();
      await shared.probe.open.remote(key);
      await shared.probe.until.remote(`${key}:ended`);
      await expect.poll(() => ongoing(shared.serve)).toBe(0);
    });

    test('request and answer stream at the same time', async () => {
      using client = await RawClient.connect(shared.port);
      client.head('POST /stream/duplex HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked');
      client.write('3\r\none\r\n');
      await client.until('3\r\nONE\r\n');
      client.write('3\r\ntwo\r\n');
      await client.until('3\r\nTWO\r\n');
      client.write('0\r\n\r\n');
      expect(await client.until('\r\n0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 OK/);
    });

    test.each(['too-short', 'too-long'])(
      '%s: a length that is not kept breaks the connection',
      async (kind) => {
        using client = await get(`/kind/${kind}`);
        client.head('GET /kind/number HTTP/1.1', 'Host: h');
        const answer = await client.closed();
        expect(answer).toMatch(/\r\n\r\nabc$/);
      },
    );
  });

  describe('limits of a stream', () => {
    test.each([
      ['streamIdleTimeoutMs', 'gated', 'first'],
      ['streamTimeoutMs', 'ticking', 'tick 1'],
    ])('23: %s cuts the connection', async (option, name, expected) => {
      await using serve = calmServe();
      const app = probe.options({ [option]: 600 }).bind();
      await using server = await mount({ serve, app });
      const key = freshKey();
      const response = await open(server.port, `/stream/${name}?key=${key}`);
      let text = '';
      const reading = (async () => {
        for await (const chunk of response) text += String(chunk);
      })();
      await expect(reading).rejects.toThrow('aborted');
      expect(text).toContain(expected);
      await serve.handle(app).open.remote(key);
      expect(await outcomes(serve, 'timeout')).toBe(1);
    });

    test('23: the deadline holds until the first chunk, though the head is sent', async () => {
      await using serve = calmServe();
      const app = probe.bind();
      await using server = await mount({ serve, app, options: { requestTimeoutMs: 1_000 } });
      await serve.run(app);
      const response = await open(server.port, '/stream/late-first?key=never');
      expect(response.statusCode).toBe(200);
      await expect(response.toArray()).rejects.toThrow('aborted');
      expect(await outcomes(serve, 'timeout')).toBe(1);
      await serve.handle(app).open.remote('never');
    });

    test('the deadline ends with the first chunk', async () => {
      await using serve = calmServe();
      const app = probe.options({ requestTimeoutMs: 1_000 }).bind();
      await using server = await mount({ serve, app });
      await serve.run(app);
      using client = await RawClient.connect(server.port);
      const startedAt = performance.now();
      client.head('GET /stream/ticking?key=long HTTP/1.1', 'Host: h');
      // 5 ms and more for each: past the deadline by then.
      await client.until('tick 220\n');
      expect(performance.now() - startedAt).toBeGreaterThan(1_000);
    });
  });
}
