import { describe, expect, test } from 'vitest';
import { constant, exponential, mixed, seeded, uniform } from '../engine/random.ts';
import { poisson } from '../engine/traffic.ts';
import { bestHedgedP99 } from './best-hedge.ts';
import { erlangWait } from './erlang.ts';
import { bestThreshold, multiServerQueue } from './multi-server-queue.ts';
import { pooledLruHitRate } from './pooled-lru.ts';

describe('one queue before several servers', () => {
  test.each([
    [1, 0.5],
    [2, 0.8],
    [4, 0.8],
    [8, 0.9],
  ])('M/M/%d at load %d waits as long as Erlang says', (servers, load) => {
    const traffic = poisson(seeded(3), (servers * load) / 10, 2_000_000, exponential(10));
    const { meanWaitMs } = multiServerQueue(traffic, { servers, fromMs: 10_000 });
    expect(meanWaitMs / (10 * erlangWait(servers, load))).toBeCloseTo(1, 1);
  });

  test('with durations that are known the best threshold keeps all servers busy in time', () => {
    const traffic = poisson(seeded(4), 0.5, 100_000, constant(20));
    // Two servers do 100 calls a second; the first ones find them idle, so some more are possible.
    const inTime = bestThreshold(traffic, { servers: 2, deadlineMs: 200 });
    expect(inTime / 10_000).toBeCloseTo(1, 2);
    expect(multiServerQueue(traffic, { servers: 2, deadlineMs: 200 }).inTime).toBeLessThan(inTime / 10);
  });
});

test('the best hedge of calls of 100 ms, one in fifty of them ten times as slow, is sent after these 100 ms', () => {
  const durations = mixed(uniform(99, 101), constant(1_000), 0.02);
  expect(bestHedgedP99(5, durations, 0.05)).toBeCloseTo(200, -1);
});

test('a pooled cache hits always when all models fit, and never when they come in turn and one is too many', () => {
  const inTurn = (models: number): number[] => Array.from({ length: 1_000 }, (_, index) => index % models);
  expect(pooledLruHitRate(inTurn(3), 3, 10)).toBe(1);
  expect(pooledLruHitRate(inTurn(4), 3, 10)).toBe(0);
});
