import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DrainRate } from './drain-rate.ts';
import { MethodTimes } from './method-times.ts';
import { RunTimes } from './run-times.ts';

describe('run times', () => {
  test('quantiles are within a bucket of the true ones', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 20 }), (base, spread) => {
        const times = new RunTimes();
        const values = Array.from(
          { length: 400 },
          (_, n) => base * (1 + ((n * 7_919) % 400) / (400 / spread)),
        );
        for (const value of values) times.observe(value);
        const sorted = values.toSorted((a, b) => a - b);
        const at = (p: number): number => sorted[Math.ceil(p * 400) - 1] as number;
        for (const [read, p] of [
          [times.typicalMs, 0.5],
          [times.likelyMs, 0.9],
          [times.slowMs, 0.95],
        ] as const) {
          expect(read / at(p)).toBeGreaterThan(0.8);
          expect(read / at(p)).toBeLessThan(1.25);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('says nothing before it knows enough', () => {
    const times = new RunTimes();
    for (let call = 0; call < 19; call++) times.observe(100);
    expect([times.typicalMs, times.likelyMs, times.slowMs]).toEqual([0, 0, 0]);
    times.observe(100);
    expect(times.typicalMs).toBeGreaterThan(80);
  });

  test('what is old fades, and doubt lets calls through again', () => {
    const times = new RunTimes();
    for (let call = 0; call < 1_000; call++) times.observe(1_000);
    for (let call = 0; call < 1_500; call++) times.observe(10);
    expect(times.likelyMs).toBeLessThan(13);
    const before = times.likelyMs;
    for (let shed = 0; shed < 70; shed++) times.doubt();
    expect(times.likelyMs).toBeLessThan(before / 2);
  });

  test('short calls are sampled without a bias', () => {
    const times = new MethodTimes();
    for (let call = 0; call < 1_600; call++) {
      times.observe('m', 0.3);
      if (call % 4 === 0) times.observe('m', 50);
    }
    const { typicalMs = 0, likelyMs = 0 } = times.of('m') ?? {};
    expect(typicalMs).toBeLessThan(0.5);
    expect(likelyMs).toBeGreaterThan(40);
    expect(times.of('other')).toBeUndefined();
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
