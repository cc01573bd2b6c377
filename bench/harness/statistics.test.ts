import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exponential, seededRandom } from './random.ts';
import { median, medianInterval } from './statistics.ts';

const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

describe('medianInterval', () => {
  // Ranks and tails of the sign test, as tables of the binomial distribution have them.
  test.each([
    { n: 5, low: 1, high: 5, missed: 2 / 32 },
    { n: 8, low: 2, high: 7, missed: 18 / 256 },
    { n: 15, low: 4, high: 12, missed: 1_152 / 32_768 },
    { n: 16, low: 5, high: 12, missed: 5_034 / 65_536 },
    { n: 30, low: 11, high: 20, missed: 0.0987 },
  ])('takes the values of rank $low and $high of $n', ({ n, low, high, missed }) => {
    const interval = medianInterval(upTo(n).toReversed());
    expect(interval).toMatchObject({ low, high });
    expect(interval?.confidence).toBeCloseTo(1 - missed, 4);
  });

  test('follows the confidence that is asked for', () => {
    expect(medianInterval(upTo(16), 0.95)).toMatchObject({ low: 4, high: 13 });
    expect(medianInterval(upTo(16), 0.5)).toMatchObject({ low: 7, high: 10 });
  });

  test.each([0, 1, 2, 3, 4])('is undefined for %i values, which are too few for 90 %', (n) => {
    expect(medianInterval(upTo(n))).toBeUndefined();
  });

  test('is not moved by outliers', () => {
    const values = [...upTo(14), 1e6, 1e9];
    expect(medianInterval(values)).toMatchObject({ low: 5, high: 12 });
  });

  test('holds the true median about as often as it says, also of a skewed distribution', () => {
    const random = seededRandom(9);
    const trials = 4_000;
    let held = 0;
    for (let trial = 0; trial < trials; trial++) {
      const { low, high } = medianInterval(Array.from({ length: 16 }, () => exponential(random, 1)))!;
      if (low <= Math.LN2 && Math.LN2 <= high) held++;
    }
    expect(held / trials).toBeCloseTo(1 - 5_034 / 65_536, 1.5);
  });

  test('encloses the median of the sample', () => {
    const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), {
      minLength: 5,
      maxLength: 60,
    });
    fc.assert(
      fc.property(values, (sample) => {
        const { low, high } = medianInterval(sample)!;
        expect(low).toBeLessThanOrEqual(median(sample));
        expect(high).toBeGreaterThanOrEqual(median(sample));
      }),
    );
  });
});
