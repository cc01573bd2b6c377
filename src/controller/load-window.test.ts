import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LoadWindow } from './load-window.ts';

test('a value holds until the next one is taken', () => {
  const window = new LoadWindow(1_000);
  expect(window.mean(5, 1_000)).toBe(0);
  window.record(0, 10);
  expect(window.mean(0, 1_000)).toBe(10);
  window.record(300, 20);
  window.record(400, 0);
  // 10 for 300 ms, 20 for 100 ms, 0 for 100 ms
  expect(window.mean(500, 1_000)).toBeCloseTo((300 * 10 + 100 * 20) / 500);
  expect(window.mean(500, 150)).toBeCloseTo((50 * 20) / 150);
  expect(window.latest).toBe(0);
});

test('an event loop that was blocked leaves no gap: the last value held meanwhile', () => {
  const window = new LoadWindow(1_000);
  window.record(0, 4);
  window.record(10_000, 8);
  expect(window.mean(10_000, 1_000)).toBe(4);
  expect(window.mean(10_500, 1_000)).toBe(6);
});

test('the mean is that of a step function, and old samples are dropped', () => {
  const steps = fc.array(fc.tuple(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 0, max: 50 })), {
    minLength: 1,
    maxLength: 200,
  });
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 1_000 }), (deltas, period) => {
      const window = new LoadWindow(1_000);
      const values: number[] = [];
      let at = 0;
      for (const [delta, value] of deltas) {
        at += delta;
        window.record(at, value);
        // The value in each ms from here on, until the next sample overwrites it.
        for (let ms = at; ms < at + 400; ms++) values[ms] = value;
        if (values.length > at + 400) values.length = at + 400;
      }
      const [firstAt] = deltas[0] as [number, number];
      const from = Math.max(at + 50 - period, firstAt);
      const span = values.slice(from, at + 50);
      const expected = span.reduce((sum, value) => sum + value, 0) / span.length;
      expect(window.mean(at + 50, period)).toBeCloseTo(expected, 6);
      expect(window.samples.length).toBeLessThanOrEqual(2 * 1_001);
    }),
  );
});
