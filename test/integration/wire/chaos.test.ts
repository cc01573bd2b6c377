import { describe, expect, test } from 'vitest';
import { FRAME } from '../../../src/channel/frames.ts';
import { type ChaosProxy, chaosProxy } from '../../../src/testing/chaos-proxy.ts';
import { PEER_FRAME } from '../../../src/wire/peer-frames.ts';
import { dialling, listening, type OpenLink, type TestListener } from '../../support/wire/links.ts';

const MIB = 1_048_576;

interface Meeting extends AsyncDisposable {
  readonly proxy: ChaosProxy;
  readonly dialler: OpenLink;
  readonly peer: OpenLink;
}

/** A link through a bad network. */
async function meeting(): Promise<Meeting> {
  const server: TestListener = await listening();
  const proxy = await chaosProxy({ targetPort: server.listener.port, seed: 3 });
  const accepted = server.next();
  const dialler = await dialling(proxy.port);
  return {
    proxy,
    dialler,
    peer: await accepted,
    async [Symbol.asyncDispose]() {
      dialler[Symbol.dispose]();
      await proxy.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('a link over a bad network', () => {
  test('gets whole frames out of small pieces', async () => {
    await using meet = await meeting();
    meet.proxy.set({ sliceBytes: 700 });
    const bytes = new Uint8Array(100_000).map((_, index) => index * 13);
    meet.dialler.link.post([FRAME.result, 0, bytes]);
    meet.dialler.link.post([FRAME.end, 1]);
    const frames = await meet.peer.inbox.first(2);
    const result = frames.find(([kind]) => kind === FRAME.result);
    expect(Buffer.compare(result?.[2] as Uint8Array, bytes)).toBe(0);
  });

  test('sends small frames past large ones where the network is slow', async () => {
    await using meet = await meeting();
    meet.proxy.set({ bytesPerSecond: 8 * MIB });
    meet.dialler.link.post([FRAME.result, 0, new Uint8Array(4 * MIB)]);
    meet.dialler.link.post([PEER_FRAME.ping, 1]);
    const start = performance.now();
    expect(await meet.dialler.inbox.first(1)).toEqual([[PEER_FRAME.pong, 1]]);
    expect(meet.peer.inbox.received).toEqual([]);
    await meet.peer.inbox.first(1);
    expect(performance.now() - start).toBeGreaterThan(300);
  });

  test('that breaks is told to both ends at once', async () => {
    await using meet = await meeting();
    meet.dialler.link.post([FRAME.result, 0, new Uint8Array(8 * MIB)]);
    meet.proxy.reset();
    for (const { inbox } of [meet.dialler, meet.peer]) expect(await inbox.ended).toBeInstanceOf(Error);
    expect(meet.peer.inbox.received).toEqual([]);
  });

  test('that is held back goes on where it was', async () => {
    await using meet = await meeting();
    meet.proxy.toClient.set({ stall: true });
    for (let ping = 0; ping < 20; ping++) meet.dialler.link.post([PEER_FRAME.ping, ping]);
    meet.dialler.link.post([FRAME.end, 1]);
    await meet.peer.inbox.first(1);
    expect(meet.dialler.inbox.received).toEqual([]);
    meet.proxy.heal();
    expect((await meet.dialler.inbox.first(20)).map(([, ping]) => ping)).toEqual(
      Array.from({ length: 20 }, (_, ping) => ping),
    );
  });

  test('is not opened where nothing comes back', async () => {
    await using server = await listening();
    await using proxy = await chaosProxy({ targetPort: server.listener.port });
    proxy.toClient.set({ stall: true });
    await expect(dialling(proxy.port)).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    expect(server.links).toEqual([]);
  });
});
