import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isDoomed } from '../policies/doomed.ts';
import { MethodTimes } from '../policies/method-times.ts';
import { RunTimes } from '../policies/run-times.ts';
import { DrainRate } from '../queue/drain-rate.ts';

/** Numbers in 0…1, the same in every run (Park, Miller 1988). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

describe('run times', () => {
  test('a quantile is never below the true one, and at most 4 % above', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 20 }), (base, spread) => {
        const times = new RunTimes();
        const values = Array.from(
          { length: 400 },
          (_, n) => base * (1 + ((n * 7_919) % 400) / (400 / spread)),
        );
        for (const value of values) times.observe(value, 0);
        const sorted = values.toSorted((a, b) => a - b);
        const at = (p: number): number => sorted[Math.ceil(p * 400 - 1e-9) - 1] as number;
        for (const [read, p] of [
          [times.p50Ms, 0.5],
          [times.p95Ms, 0.95],
        ] as const) {
          expect(read / at(p)).toBeGreaterThanOrEqual(1 - 1e-9);
          expect(read / at(p)).toBeLessThan(1.0401);
        }
      }),
      { seed: 50, numRuns: 50 },
    );
  });

  test('the chance to end within a time is never above the true one', () => {
    const times = new RunTimes();
    for (let ms = 1; ms <= 200; ms++) times.observe(ms, 0);
    for (const ms of [0.01, 1, 37, 100, 150]) {
      expect(times.chance(ms)).toBeLessThanOrEqual(ms / 200);
      expect(times.chance(ms)).toBeGreaterThan((ms / 1.04 - 1) / 200 - 0.01);
    }
    expect(times.chance(1_000)).toBe(1);
  });

  test('is up to date at once while little is known, and never by more than half a percent behind', () => {
    const times = new RunTimes();
    for (let call = 0; call < 20; call++) times.observe(10, 0);
    expect(times.p95Ms).toBeLessThan(10.5);
    times.observe(100, 0);
    times.observe(100, 0);
    expect(times.p95Ms).toBeGreaterThanOrEqual(100);
    for (let call = 0; call < 1_000; call++) times.observe(10, 0);
    for (let call = 1; call <= 200; call++) {
      times.observe(1_000, 0);
      expect(times.chance(500)).toBeLessThan(1_022 / (1_022 + call) + 0.006);
    }
  });

  test('says nothing before it knows enough', () => {
    const times = new RunTimes();
    for (let call = 0; call < 19; call++) times.observe(100, 0);
    expect([times.isKnown, times.p50Ms, times.p95Ms]).toEqual([false, 0, 0]);
    times.observe(100, 0);
    expect([times.isKnown, times.p50Ms >= 100]).toEqual([true, true]);
  });

  test('what is old fades', () => {
    const times = new RunTimes();
    for (let call = 0; call < 3_000; call++) times.observe(1_000, 0);
    for (let call = 0; call < 9_000; call++) times.observe(10, 0);
    expect(times.p95Ms).toBeLessThan(10.5);
  });

  test('calls that are given up after a time say only that they run for longer', () => {
    const random = seeded(7);
    const times = new RunTimes();
    // Exponential, 100 ms on average; each is given up after a time of its own.
    for (let call = 0; call < 2_000; call++) {
      const ms = -100 * Math.log(1 - random());
      const patience = 400 * random();
      times.observe(Math.min(ms, patience), 0, ms <= patience);
    }
    expect(times.p50Ms / (100 * Math.LN2)).toBeGreaterThan(0.9);
    expect(times.p50Ms / (100 * Math.LN2)).toBeLessThan(1.15);
    expect(times.chance(150)).toBeCloseTo(1 - Math.exp(-1.5), 1);
  });

  test('where all calls are given up nothing is known of what comes after, and the best is assumed', () => {
    const times = new RunTimes();
    for (let call = 0; call < 100; call++) times.observe(10, 0);
    for (let call = 0; call < 100; call++) times.observe(50, 0, false);
    expect(times.chance(60)).toBeCloseTo(0.5);
    expect(times.bestChance(40)).toBeCloseTo(0.5);
    expect(times.bestChance(60)).toBe(1);
    // The longest duration there was.
    expect(times.p95Ms).toBeLessThan(10.5);
  });

  test('is in decay while no call ran for a second, or for the time that calls take if that is longer', () => {
    const times = new RunTimes();
    for (let call = 0; call < 100; call++) times.observe(10, 5_000);
    expect([6_000, 6_001].map((at) => times.isInDoubt(at))).toEqual([false, true]);
    times.began(6_001);
    expect([7_001, 7_002].map((at) => times.isInDoubt(at))).toEqual([false, true]);
    for (let call = 0; call < 100; call++) times.observe(3_000, 10_000);
    expect([12_900, 13_200].map((at) => times.isInDoubt(at))).toEqual([false, true]);
  });

  test('a call that was tried in decay and was fast counts for as much as all before it', () => {
    const times = new RunTimes();
    for (let call = 0; call < 1_000; call++) times.observe(500, 0);
    times.observe(10, 0);
    expect(times.chance(20)).toBeLessThan(0.01);
    times.began(2_000);
    times.observe(10, 2_010);
    expect(times.chance(20)).toBeGreaterThan(0.49);
    // Slow as it may be after a pause: one call does not change what is known.
    times.began(4_000);
    times.observe(900, 4_900);
    expect(times.chance(600)).toBeGreaterThan(0.99);
  });

  test('short calls are sampled without a bias', () => {
    const times = new MethodTimes();
    for (let call = 0; call < 1_600; call++) {
      times.observe('m', 0.3, 0);
      if (call % 4 === 0) times.observe('m', 50, 0);
    }
    expect(times.of('m')?.p50Ms).toBeLessThan(0.5);
    expect(times.of('m')?.chance(40)).toBeCloseTo(0.8, 2);
    expect(times.of('other')).toBeUndefined();
  });
});

describe('doomed calls', () => {
  const times = new RunTimes();
  for (let ms = 1; ms <= 100; ms++) times.observe(ms, 0);
  /** Whether a call with 1 s from the beginning, and so much of it left, is doomed. */
  const isLate = (leftMs: number, waiting: number, isOverloaded = false): boolean =>
    isDoomed({ readyAt: 0, expiresAt: 1_000 }, 1_000 - leftMs, waiting, isOverloaded, times);

  test('one that waits alone needs half of its chance, more than one the more there are, up to 95 %', () => {
    expect([isLate(55, 1), isLate(45, 1)]).toEqual([false, true]);
    expect([isLate(85, 4), isLate(75, 4)]).toEqual([false, true]);
    expect([isLate(98.5, 10_000), isLate(90, 10_000)]).toEqual([false, true]);
    expect([isLate(98.5, 10_000, true), isLate(105, 10_000, true)]).toEqual([true, false]);
  });

  test('a call without a deadline never is, one that is past it always is', () => {
    expect(isDoomed({ readyAt: 0, expiresAt: 0 }, 1e9, 9, true, times)).toBe(false);
    expect(isDoomed({ readyAt: 0, expiresAt: 10 }, 10, 9, true, undefined)).toBe(true);
    expect(isDoomed({ readyAt: 0, expiresAt: 10 }, 9, 9, true, undefined)).toBe(false);
  });

  test('a chance that was small from the beginning is no reason, none at all is', () => {
    const rare = new RunTimes();
    for (let call = 0; call < 90; call++) rare.observe(10_000, 0);
    for (let call = 0; call < 10; call++) rare.observe(10, 0);
    const call = { readyAt: 0, expiresAt: 200 };
    expect(isDoomed(call, 100, 50, false, rare)).toBe(false);
    expect(isDoomed(call, 195, 50, false, rare)).toBe(true);
  });

  test('calls that were given up after a short time condemn none that has much more', () => {
    const times = new RunTimes();
    for (let call = 0; call < 400; call++) times.observe(50 + (call % 20), 0, call % 50 === 0);
    expect(isDoomed({ readyAt: 0, expiresAt: 60_200 }, 200, 10_000, true, times)).toBe(false);
    // One that has no more time than those had is still refused.
    expect(isDoomed({ readyAt: 0, expiresAt: 70 }, 20, 10_000, true, times)).toBe(true);
  });

  test('in decay one is tried', () => {
    const call = { readyAt: 1_900, expiresAt: 2_100 };
    const slow = new RunTimes();
    for (let n = 0; n < 100; n++) slow.observe(500, 1_000);
    expect(isDoomed(call, 1_950, 5, true, slow)).toBe(true);
    expect(isDoomed(call, 2_050, 5, true, slow)).toBe(false);
    slow.began(2_050);
    expect(isDoomed(call, 2_051, 5, true, slow)).toBe(true);
  });
});

describe('drain rate', () => {
  test('Retry-After is the time in which the queue empties, clamped, and spread by half', () => {
    const rate = new DrainRate();
    for (let at = 0; at <= 5_000; at += 50) rate.sample(10, at);
    expect(rate.perMs).toBeCloseTo(0.2, 3);
    expect(rate.retryAfterMs(1_000, 0)).toBe(5_000);
    expect(rate.retryAfterMs(1_000, 1)).toBe(7_500);
    expect(rate.retryAfterMs(10, 0)).toBe(1_000);
    expect(rate.retryAfterMs(1_000_000, 0)).toBe(30_000);
  });

  test('an unknown rate asks for a second, a burst of samples changes nothing', () => {
    const rate = new DrainRate();
    expect(rate.retryAfterMs(1_000, 0)).toBe(1_000);
    // Sixteen calls that end in the same millisecond are no 16,000 calls per second.
    rate.sample(0, 0);
    for (let call = 0; call < 16; call++) rate.sample(1, 1);
    expect(rate.perMs).toBe(0);
    rate.sample(0, 160);
    expect(rate.perMs).toBeCloseTo(0.1, 5);
  });

  test('a pause without waiting calls is not measured', () => {
    const rate = new DrainRate();
    for (let at = 0; at <= 1_000; at += 50) rate.sample(10, at);
    rate.sample(3, 9_000);
    expect(rate.perMs).toBeCloseTo(0.2, 3);
  });
});
