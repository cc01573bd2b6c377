import { afterEach, beforeEach, expect, test } from 'vitest';
import { World } from '../../../test/support/fleet/world.ts';
import { worldTime } from '../../../test/support/fleet/world-time.ts';
import { introduction, LOOPBACK, security } from '../../../test/support/wire/links.ts';
import { RESERVED } from '../../load/load-table.ts';
import { machineTime, useTime } from '../../time/clock.ts';
import { Codec } from '../../wire/codec.ts';
import type { LinkSocket, LinkSocketEvents } from '../../wire/link-socket.ts';
import { messageHead } from '../../wire/message.ts';
import { PEER_FRAME, pushFrame } from '../../wire/peer-frames.ts';
import { FAULT, FaultCounts } from '../../wire/wire-error.ts';
import { PeerHealth } from './health/peer-health.ts';
import { type Dial, PeerClient } from './peer-client.ts';
import { PeerCounts } from './peer-counts.ts';

const TARGET = { endpoint: 1, methods: ['predict'] };

/** A connection that a test opens and ends. */
class Socket implements LinkSocket {
  readonly unsent = 0;
  isOpen = true;
  events: LinkSocketEvents | undefined = undefined;

  listen(events: LinkSocketEvents): void {
    this.events = events;
  }

  send(): void {}

  /** The other side sends a frame. */
  says(frame: readonly unknown[]): void {
    const slots: unknown[] = [];
    pushFrame(slots, frame);
    this.sends(messageHead(new Codec().encode(slots)));
  }

  /** The other side sends bytes. */
  sends(message: Uint8Array): void {
    this.events?.message([message]);
  }

  close(): void {
    this.isOpen = false;
  }

  destroy(): void {
    this.isOpen = false;
  }
}

/** A client whose dials a test answers. */
class Peer {
  readonly world = new World(1);
  readonly health = new PeerHealth(worldTime(this.world));
  readonly faults = new FaultCounts();
  /** Dials so far, the last one last. */
  readonly dials: Array<{ open(epoch?: number): Socket; fail(): Promise<void> }> = [];
  /** Numbers of failures in a row, as they were told. */
  readonly failures: number[] = [];
  readonly client: PeerClient;

  constructor() {
    const address = { host: '127.0.0.1', port: 1 };
    const common = { allow: LOOPBACK, security: security(), self: introduction('self') };
    this.client = new PeerClient(
      { ...address, ...common, expected: 'peer', epoch: 1, isKept: false },
      { health: this.health, counts: new PeerCounts(), faults: this.faults, dial: this.#dial },
      {
        ...{ opened() {}, up() {}, endpoints() {}, down() {}, closed() {} },
        failed: (_error, failures) => this.failures.push(failures),
      },
    );
  }

  /** Answers the last dial. */
  open(epoch?: number): Socket {
    return this.dials.at(-1)?.open(epoch) as Socket;
  }

  readonly #dial: Dial = (_options, onOpen) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.dials.push({
      open(epoch = 1) {
        const socket = new Socket();
        const sizes = { maxPayload: 1_000_000, views: 16 };
        onOpen({ role: 'dialer', version: 1, instance: 'peer', epoch, rttMs: 1, ...sizes }, socket);
        resolve();
        // The first ping measures the round trip.
        socket.says([PEER_FRAME.pong, 1]);
        return socket;
      },
      async fail() {
        reject(new Error('nobody listens'));
        await promise.catch(() => {});
      },
    });
    return promise;
  };
}

let peer: Peer;
let used: Disposable;

beforeEach(() => {
  peer = new Peer();
  used = useTime({ ...machineTime, ...worldTime(peer.world) });
});

afterEach(() => {
  peer.client.close(new Error('the test is over'));
  peer.health.close();
  used[Symbol.dispose]();
});

test('the end of a link that was closed for want of calls says nothing about the next dial', () => {
  peer.client.channel(TARGET, () => {});
  peer.client.dial();
  const first = peer.open();
  peer.world.run(80_000);
  expect(first.isOpen).toBe(false);
  peer.client.dial();
  first.events?.closed(undefined);
  peer.world.run(5_000);
  expect([peer.dials.length, peer.client.isDown]).toEqual([2, false]);
  const second = peer.open();
  second.events?.closed(new Error('the connection broke'));
  peer.world.run(5_000);
  expect([peer.dials.length, peer.client.isDown]).toEqual([3, true]);
});

test('an instance that has restarted is not used, and is dialled again', () => {
  peer.client.channel(TARGET, () => {});
  peer.client.dial();
  expect(peer.open(2).isOpen).toBe(false);
  expect([peer.client.isDown, peer.client.epoch]).toEqual([true, undefined]);
  peer.world.run(5_000);
  expect(peer.dials).toHaveLength(2);
  peer.open();
  expect([peer.client.isDown, peer.client.epoch]).toEqual([false, 1]);
});

test('a channel that is made while the peer is down makes the client dial again', async () => {
  peer.client.dial();
  await peer.dials[0]?.fail();
  peer.world.run(60_000);
  expect([peer.dials.length, peer.client.isDown]).toEqual([1, true]);
  peer.client.channel(TARGET, () => {});
  expect(peer.dials).toHaveLength(2);
  peer.open();
  expect(peer.client.isDown).toBe(false);
});

test('a peer that breaks the protocol on a link that was dialled is counted, once for each link', () => {
  peer.client.channel(TARGET, () => {});
  peer.client.dial();
  const garbage = peer.open();
  garbage.sends(Buffer.from([0, 0, 0, 1, 0xc1]));
  garbage.events?.closed(undefined);
  peer.world.run(5_000);
  peer.open().says([PEER_FRAME.status, { kind: 'endpoints', endpoints: 'none', gone: [] }]);
  expect(peer.faults.of(FAULT.malformed)).toBe(2);
  peer.world.run(5_000);
  peer.open().events?.closed(new Error('the connection broke'));
  expect(Object.values(FAULT).reduce((sum, fault) => sum + peer.faults.of(fault), 0)).toBe(2);
});

test('each of several channels to one endpoint gets every link, its windows, and the end of the client', () => {
  const channels = [peer.client.channel(TARGET, () => {}), peer.client.channel(TARGET, () => {})];
  for (const window of [3, 5]) {
    peer.client.dial();
    const socket = peer.open();
    socket.says([PEER_FRAME.window, TARGET.endpoint, window]);
    expect(channels.map((channel) => channel.window)).toEqual([window, window]);
    socket.events?.closed(new Error('the connection broke'));
    expect(channels.map((channel) => channel.window)).toEqual([1, 1]);
    peer.world.run(5_000);
  }
  peer.client.close(new Error('the peer has left'));
  expect(channels.map((channel) => channel.room())).toEqual([RESERVED.gone, RESERVED.gone]);
});

test('a peer that closes its link in order is ending: dials that fail soon after are no failures', async () => {
  // Of one peer alone none is ejected.
  for (let other = 0; other < 3; other++) peer.health.opened(peer.health.follow(() => {}));
  peer.client.channel(TARGET, () => {});
  peer.client.dial();
  const socket = peer.open();
  peer.world.run(1_000);
  socket.events?.closed(undefined);
  const failUntil = async (end: number): Promise<void> => {
    while (peer.world.now < end) {
      const { length } = peer.dials;
      peer.world.run(100);
      if (peer.dials.length > length) await peer.dials.at(-1)?.fail();
    }
  };
  await failUntil(9_000);
  expect(peer.failures.length).toBeGreaterThan(5);
  expect(new Set(peer.failures)).toEqual(new Set([0]));
  expect(peer.client.ejection).toBeUndefined();
  await failUntil(25_000);
  expect(peer.failures.at(-1)).toBeGreaterThan(5);
  expect(peer.client.ejection?.cause).toBe('unreachable');
});

test('a channel knows the window that was told before it was made, and not that of a link that is gone', () => {
  peer.client.dial();
  const socket = peer.open();
  socket.says([PEER_FRAME.window, TARGET.endpoint, 65]);
  const windows = (): number[] => [1, 2].map((endpoint) => made(endpoint).window);
  const made = (endpoint: number) => peer.client.channel({ ...TARGET, endpoint }, () => {});
  expect(windows()).toEqual([65, 1]);
  socket.events?.closed(new Error('the connection broke'));
  expect(windows()).toEqual([1, 1]);
});
