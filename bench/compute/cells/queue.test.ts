import { describe, expect, test } from 'vitest';
import { mean } from '../../harness/statistics.ts';
import { arrivalsOf } from './queue.ts';

const MINUTES = 60 * 60_000;

describe('the arrivals of a queue', () => {
  test('are the same for every contender of a round, and others in the next', () => {
    expect(arrivalsOf(1, 0.5, 60_000)).toEqual(arrivalsOf(1, 0.5, 60_000));
    expect(arrivalsOf(1, 0.5, 60_000)).not.toEqual(arrivalsOf(2, 0.5, 60_000));
    const short = arrivalsOf(1, 0.5, 10_000);
    expect(arrivalsOf(1, 0.5, 60_000).slice(0, short.length)).toEqual(short);
  });

  test.each([0.5, 0.8])('keep two servers busy for %f of the time', (load) => {
    const arrivals = arrivalsOf(7, load, MINUTES);
    const work = arrivals.reduce((sum, { serviceMs }) => sum + serviceMs, 0);
    expect(work / (2 * MINUTES) / load).toBeCloseTo(1, 1);
    expect(arrivals.every(({ atMs }, index) => index === 0 || atMs > arrivals[index - 1]!.atMs)).toBe(true);
  });

  test('come at random, one in ten of them for long', () => {
    const arrivals = arrivalsOf(7, 0.5, MINUTES);
    expect(mean(arrivals.map(({ serviceMs }) => (serviceMs === 200 ? 1 : 0)))).toBeCloseTo(0.1, 2);
    expect(new Set(arrivals.map(({ serviceMs }) => serviceMs))).toEqual(new Set([1, 200]));
    // Gaps of a Poisson process vary as much as they last.
    const gaps = arrivals.slice(1).map(({ atMs }, index) => atMs - arrivals[index]!.atMs);
    const center = mean(gaps);
    const deviation = Math.sqrt(mean(gaps.map((gap) => (gap - center) ** 2)));
    expect(deviation / center).toBeCloseTo(1, 1);
  });
});
