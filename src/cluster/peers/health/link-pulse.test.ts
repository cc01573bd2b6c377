import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { World } from '../../../../test/support/fleet/world.ts';
import { worldTime } from '../../../../test/support/fleet/world-time.ts';
import { machineTime } from '../../../time/clock.ts';
import { LinkPulse, type PulseTime } from './link-pulse.ts';

/** A link that answers pings after a while, or does not. */
class Link {
  readonly world = new World(1);
  isBusy = false;
  heard = 0;
  answersAfterMs: number | undefined = 2;
  readonly pings: number[] = [];
  silentAt: number | undefined = undefined;
  readonly pulse: LinkPulse;

  constructor(pulseTime: (world: World) => PulseTime = worldTime) {
    this.pulse = new LinkPulse(this, pulseTime(this.world));
  }

  ping(number: number): void {
    this.pings.push(this.world.now);
    if (this.answersAfterMs !== undefined)
      this.world.after(this.answersAfterMs, () => this.pulse.pong(number));
  }

  silent(): void {
    this.silentAt = this.world.now;
  }
}

describe('the pulse of a link', () => {
  test('a ping goes out when the link opens, and then every 5 s while calls are under way', () => {
    const link = new Link();
    link.world.run(12_000);
    expect(link.pings).toEqual([0]);
    link.isBusy = true;
    link.world.run(10_000);
    expect(link.pings).toEqual([0, 15_000, 20_000]);
    expect(link.silentAt).toBe(undefined);
  });

  test('the round trip is a moving average', () => {
    const link = new Link();
    link.isBusy = true;
    expect(link.pulse.rttMs).toBe(0);
    link.world.run(10);
    expect(link.pulse.rttMs).toBe(2);
    link.answersAfterMs = 6;
    link.world.run(5_000);
    expect(link.pulse.rttMs).toBe(3);
  });

  test('a peer whose messages come is not silent, though the answer waits behind them', () => {
    const link = new Link();
    link.world.run(1_000);
    link.isBusy = true;
    link.answersAfterMs = undefined;
    for (let second = 0; second < 20; second++) {
      link.heard++;
      link.world.run(1_000);
    }
    expect([link.pings.length, link.silentAt]).toEqual([2, undefined]);
    link.world.run(6_001);
    expect(link.silentAt).toBeGreaterThan(20_000);
  });

  test('a silent peer is found out within 8 s', () => {
    const link = new Link();
    link.world.run(1_000);
    link.isBusy = true;
    link.answersAfterMs = undefined;
    link.world.run(7_001);
    expect(link.silentAt).toBe(8_000);
    link.world.run(60_000);
    expect(link.pings).toEqual([0, 5_000]);
  });

  test('a late pong of an earlier ping proves nothing', () => {
    const link = new Link();
    link.world.run(1_000);
    link.isBusy = true;
    link.answersAfterMs = undefined;
    link.world.run(5_000);
    link.pulse.pong(1);
    link.world.run(3_000);
    expect(link.silentAt).toBe(8_000);
  });

  test('no pong is missing before the sockets were read: after a block of the loop timers come first', () => {
    const link = new Link((world) => {
      const pulseTime = worldTime(world);
      // The loop was blocked: it reads the socket after its timers, and before its immediates.
      return { ...pulseTime, soon: (run) => pulseTime.after(1, run) };
    });
    link.answersAfterMs = 3_000.5;
    link.world.run(0);
    link.pings.length = 0;
    link.isBusy = true;
    link.world.run(20_000);
    expect(link.silentAt).toBe(undefined);
    expect(link.pings).toEqual([5_000, 10_000, 15_000, 20_000]);
  });

  test('nothing is reported after the end', () => {
    const link = new Link();
    link.isBusy = true;
    link.answersAfterMs = undefined;
    link.world.run(1_000);
    link.pulse.close();
    link.world.run(20_000);
    expect([link.silentAt, link.pings]).toEqual([undefined, [0]]);
  });

  test('a real loop that was blocked for longer than the limit loses no link', async () => {
    const answered = new Int32Array(new SharedArrayBuffer(4));
    await using peer = new Worker(ECHO, { eval: true, workerData: answered });
    await once(peer, 'message');
    // Messages that come while one is handled are handled at once; from an immediate, timers come first.
    await new Promise((resolve) => setImmediate(resolve));
    const { promise, resolve } = Promise.withResolvers<string>();
    const pulse = new LinkPulse(
      {
        isBusy: false,
        heard: 0,
        ping: (number) => peer.postMessage(number),
        silent: () => resolve('silent'),
      },
      // The limit of 3 s is 30 ms here.
      { ...machineTime, after: (ms, run) => machineTime.after(ms / 100, run) },
    );
    peer.on('message', (number) => {
      pulse.pong(number);
      resolve('answered');
    });
    Atomics.wait(answered, 0, 0);
    Atomics.wait(answered, 0, 1, 40);
    expect(await promise).toBe('answered');
    pulse.close();
  });
});

/** A peer that answers pings from another thread. */
const ECHO = `
const { parentPort, workerData } = require('node:worker_threads');
parentPort.on('message', (number) => {
  parentPort.postMessage(number);
  Atomics.store(workerData, 0, 1);
  Atomics.notify(workerData, 0);
});
parentPort.postMessage('ready');
`;
