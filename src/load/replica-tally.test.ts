import { describe, expect, test } from 'vitest';
import { faultOf } from '../controller/roll-out.ts';
import { addTallies, NO_CALLS, ReplicaTally, tallySince } from './replica-tally.ts';

/** A tally of a replica that has served that many calls, as many of them in each bucket of durations, one of them badly. */
function havingServed(calls: number): ReplicaTally {
  const tally = new ReplicaTally();
  tally.record(true, undefined);
  const counts = new Float64Array(tally.shared, 0, 67);
  counts.fill(calls, 3);
  counts[1] = calls;
  return tally;
}

describe('the tally of a replica', () => {
  test.each([
    ['2³¹', 2 ** 31],
    ['2³²', 2 ** 32],
    ['2⁴⁸', 2 ** 48],
  ])('counts on beyond %s calls', (_name, edge) => {
    const tally = havingServed(edge - 75);
    const before = tally.read();
    for (let call = 0; call < 75; call++) tally.record(true, undefined);
    for (let call = 0; call < 75; call++) tally.record(false, 5);
    const { calls, failures, latencies } = tallySince(before, tally.read());
    expect({ calls, failures }).toEqual({ calls: 150, failures: 75 });
    expect(latencies.reduce((sum, count) => sum + count)).toBe(75);
    expect([tally.calls, tally.failures]).toEqual([edge + 75, 76]);
  });

  test('a version is judged alike before and beyond the edge of 32 bits', () => {
    const tally = havingServed(2 ** 31 - 75);
    const before = tally.read();
    for (let call = 0; call < 150; call++) tally.record(true, undefined);
    const fresh = { ...tallySince(before, tally.read()), deaths: 0 };
    expect(faultOf(fresh, { ...before, deaths: 0 }, false)).toContain('150 of 150 calls failed');
    expect(addTallies(tally.read(), NO_CALLS)).toEqual(tally.read());
  });

  test('is the same for everybody who has its memory', () => {
    const mine = new ReplicaTally();
    const theirs = new ReplicaTally(mine.shared);
    mine.isObserved = true;
    mine.record(false, 5);
    expect([theirs.isObserved, theirs.calls, theirs.failures]).toEqual([true, 1, 0]);
    const evidence = { calls: 9, failures: 8, siblingCalls: 70, siblingFailures: 1 };
    expect(theirs.ejection.leaveOut(2, 1_500, evidence)).toBe(true);
    expect(mine.ejection.leaveOut(1, 9_000, evidence)).toBe(false);
    expect([mine.ejection.level, mine.ejection.evidence]).toEqual([2, evidence]);
    expect([mine.calls, mine.failures]).toEqual([1, 0]);
  });
});
