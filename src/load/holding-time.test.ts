import { describe, expect, it } from 'vitest';
import { HoldingTime } from './holding-time.ts';

function measured(...calls: readonly number[]): HoldingTime {
  const time = new HoldingTime();
  for (const ms of calls) time.observe(ms, 1);
  return time;
}

describe('HoldingTime', () => {
  it('lets one call wait while nothing is known', () => {
    const time = new HoldingTime();
    expect(time.meanMs).toBeUndefined();
    expect(time.isQuick).toBe(false);
    expect([time.ahead(false), time.ahead(true)]).toEqual([1, 1]);
  });

  it('keeps about a millisecond of work ahead of short calls', () => {
    expect(measured(0.05).ahead(true)).toBe(20);
    expect(measured(0.4).ahead(true)).toBe(2);
    expect(measured(0.05).isQuick).toBe(true);
    expect(measured(0.4).isQuick).toBe(false);
  });

  it('keeps one call ahead below 4 ms, and none while a longer one holds the loop', () => {
    expect([measured(2).ahead(false), measured(2).ahead(true)]).toEqual([1, 1]);
    expect([measured(20).ahead(false), measured(20).ahead(true)]).toEqual([1, 0]);
  });

  it('collects the answers of about 0.4 ms of quick calls, and all that end together of others', () => {
    expect([0.002, 0.05, 0.1, 5].map((ms) => measured(ms).answersPerMessage)).toEqual([16, 8, 4, 16]);
  });

  it('lets many calls wait where the first ones wait for something, before any has ended', () => {
    const time = new HoldingTime();
    time.expect(0.1);
    expect([time.ahead(false), time.isQuick, time.meanMs]).toEqual([10, false, undefined]);
    time.observe(20, 1);
    time.expect(0.1);
    expect(time.ahead(false)).toBe(1);
  });

  it('follows the mean of about the last ten calls', () => {
    const time = measured(...Array.from({ length: 50 }, () => 0.1), 200);
    expect(time.meanMs).toBeGreaterThan(15);
    time.observe(10, 100);
    expect(time.meanMs).toBeCloseTo(0.1, 2);
  });
});
