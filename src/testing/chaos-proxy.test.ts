import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/support/until.ts';
import { type ChaosProxy, chaosProxy } from './chaos-proxy.ts';
import { seededRandom } from './random.ts';

type End = 'client' | 'server';

interface Meeting extends AsyncDisposable {
  readonly proxy: ChaosProxy;
  readonly client: Socket;
  readonly server: Socket;
  /** All that has come to an end. */
  received(end: End): Buffer;
  until(end: End, bytes: number): Promise<void>;
}

/** A client and a server, with a proxy in between. */
async function meeting(seed = 1): Promise<Meeting> {
  const sockets: Socket[] = [];
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const proxy = await chaosProxy({ targetPort: (listener.address() as { port: number }).port, seed });
  const client = connect({ port: proxy.port, host: proxy.host, allowHalfOpen: true, noDelay: true });
  const [server] = (await once(listener, 'connection')) as [Socket];
  const pieces: Record<End, Buffer[]> = { client: [], server: [] };
  const bytes = { client: 0, server: 0 };
  let check = (): void => {};
  for (const [end, socket] of [
    ['client', client],
    ['server', server],
  ] as const) {
    socket.on('error', () => {});
    socket.on('data', (piece) => {
      pieces[end].push(piece);
      bytes[end] += piece.length;
      check();
    });
  }
  return {
    proxy,
    client,
    server,
    received: (end) => Buffer.concat(pieces[end]),
    until: (end, count) =>
      new Promise((resolve) => {
        check = () => {
          if (bytes[end] >= count) resolve();
        };
        check();
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of [client, ...sockets]) socket.destroy();
      await proxy.close();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** Resolves once the socket is closed, however that came about. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

const turns = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe('a connection through the proxy', () => {
  test('is as without it, as long as nothing is set', async () => {
    await using meet = await meeting();
    const bytes = Buffer.alloc(3_000_000, 'abc');
    meet.client.end(bytes);
    await Promise.all([meet.until('server', bytes.length), once(meet.server, 'end')]);
    meet.server.end('answer');
    await Promise.all([meet.until('client', 6), closed(meet.client)]);
    expect(meet.received('server').equals(bytes)).toBe(true);
    expect(meet.received('client').toString()).toBe('answer');
  });

  test('is late', async () => {
    await using meet = await meeting();
    meet.proxy.toTarget.set({ latencyMs: 60, jitterMs: 20 });
    const start = performance.now();
    meet.client.write('late');
    await meet.until('server', 4);
    expect(performance.now() - start).toBeGreaterThan(58);
  });

  test('is slow', async () => {
    await using meet = await meeting();
    meet.proxy.set({ bytesPerSecond: 1_000_000 });
    const start = performance.now();
    meet.client.write(Buffer.alloc(100_000));
    await meet.until('server', 100_000);
    expect(performance.now() - start).toBeGreaterThan(95);
  });

  test('is cut into pieces, in order', async () => {
    await using meet = await meeting();
    meet.proxy.set({ sliceBytes: 5, jitterMs: 1 });
    let events = 0;
    meet.server.on('data', () => events++);
    const bytes = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 256));
    meet.client.write(bytes);
    await meet.until('server', 300);
    expect(meet.received('server').equals(bytes)).toBe(true);
    expect(events).toBeGreaterThan(10);
  });

  test('is held back one way, and goes on when it heals', async () => {
    await using meet = await meeting();
    meet.proxy.toClient.set({ stall: true });
    meet.client.write('question');
    await meet.until('server', 8);
    meet.server.write('answer');
    meet.server.end();
    await turns(30);
    expect(meet.received('client').length).toBe(0);
    meet.proxy.heal();
    await Promise.all([meet.until('client', 6), once(meet.client, 'end')]);
  });

  test('stays open at one end when the other one has gone', async () => {
    await using meet = await meeting();
    meet.proxy.set({ halfOpen: true });
    let isTold = false;
    meet.client.on('end', () => {
      isTold = true;
    });
    meet.client.on('close', () => {
      isTold = true;
    });
    meet.server.resetAndDestroy();
    await closed(meet.server);
    await turns(30);
    expect(isTold).toBe(false);
    expect(meet.proxy.connections).toBe(1);
  });

  test('breaks after so many bytes', async () => {
    await using meet = await meeting();
    meet.proxy.toTarget.set({ resetAfterBytes: 1_000 });
    const broken = once(meet.client, 'error');
    // Bytes and a break that arrive in one turn are bytes and an end in Node 22.
    const end = Promise.race([
      closed(meet.server),
      new Promise((resolve) => meet.server.once('end', resolve)),
    ]);
    meet.client.write(Buffer.alloc(5_000));
    expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
    await end;
    expect(meet.received('server').length).toBe(1_000);
  });

  test('breaks when it is told to, and when the target breaks', async () => {
    for (const breakIt of [
      (meet: Meeting) => meet.proxy.reset(),
      (meet: Meeting) => meet.server.resetAndDestroy(),
    ]) {
      await using meet = await meeting();
      const broken = once(meet.client, 'error');
      breakIt(meet);
      expect(await broken).toMatchObject([{ code: 'ECONNRESET' }]);
      expect(meet.proxy.connections).toBe(0);
    }
  });

  test('is refused until the proxy heals, and where nobody listens', async () => {
    await using meet = await meeting();
    const refused = (port: number): Promise<unknown> =>
      new Promise((resolve) =>
        connect(port, '127.0.0.1').once('error', (error) => resolve(Reflect.get(error, 'code'))),
      );
    meet.proxy.refuse();
    expect(await refused(meet.proxy.port)).toBe('ECONNRESET');
    expect(meet.proxy.connections).toBe(1);
    meet.proxy.heal();
    const socket = connect(meet.proxy.port, '127.0.0.1');
    await eventually(() => meet.proxy.connections === 2);
    socket.destroy();
    await using nowhere = await chaosProxy({ targetPort: 1 });
    expect(await refused(nowhere.port)).toBe('ECONNRESET');
  });

  test('holds back who sends, when nobody reads', async () => {
    await using meet = await meeting();
    meet.proxy.set({ stall: true });
    const bytes = Buffer.alloc(30_000_000);
    meet.client.write(bytes);
    await turns(100);
    expect(meet.client.writableLength).toBeGreaterThan(0);
    meet.proxy.heal();
    await meet.until('server', bytes.length);
  });
});

test('a seed decides what is random', () => {
  const draw = (seed: number): number[] => Array.from({ length: 5 }, seededRandom(seed));
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  expect(draw(7).every((number) => number >= 0 && number < 1)).toBe(true);
});

test('what cannot be set is refused by its name', async () => {
  await using meet = await meeting();
  expect(() => meet.proxy.set({ latencyMs: -1 })).toThrow('chaos.latencyMs: got -1');
  expect(() => meet.proxy.set({ latency: 1 } as object)).toThrow(
    expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }),
  );
  expect(() => chaosProxy({ targetPort: 0 })).toThrow('chaosProxy.targetPort');
});
