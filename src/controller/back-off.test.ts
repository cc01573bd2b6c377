import { describe, expect, test } from 'vitest';
import { type CrashHistory, isOverBudget, nextStartAt, type RestartPolicy, recordCrash } from './back-off.ts';

const POLICY: RestartPolicy = { maxCrashes: 100, windowMs: 60_000, maxDelayMs: 30_000 };

/** Crashes right after each start, from time 0 on: the pauses in seconds. */
function pauses(count: number, policy: RestartPolicy): number[] {
  let history: CrashHistory = [];
  let now = 1;
  return Array.from({ length: count }, () => {
    history = recordCrash(history, now);
    const start = Math.max(now, nextStartAt(history, policy, now));
    const pause = (start - now) / 1_000;
    now = start;
    return pause;
  });
}

describe('back-off', () => {
  test('a deployment that never crashed starts at once', () => {
    expect(nextStartAt([], POLICY, 5)).toBe(0);
  });

  test('follows Fibonacci up to its longest pause', () => {
    expect(pauses(12, POLICY)).toEqual([0, 1, 1, 2, 3, 5, 8, 13, 21, 30, 30, 30]);
  });

  test('probes at its longest pause once the budget is spent', () => {
    expect(pauses(7, { ...POLICY, maxCrashes: 5 })).toEqual([0, 1, 1, 2, 30, 30, 8]);
  });

  test('forgets after a minute without a crash', () => {
    const history = [0, 1_000, 2_000].reduce<CrashHistory>(recordCrash, []);
    expect(nextStartAt(history, POLICY, 62_000)).toBe(3_000);
    expect(nextStartAt(history, POLICY, 62_001)).toBe(0);
    expect(recordCrash(history, 62_001)).toEqual([62_001]);
  });

  test('the budget counts crashes within its window', () => {
    const policy = { ...POLICY, maxCrashes: 3, windowMs: 1_000 };
    expect(isOverBudget([0, 500, 1_000], policy, 1_000)).toBe(true);
    expect(isOverBudget([0, 500, 1_000], policy, 1_001)).toBe(false);
  });

  test('its memory is bounded', () => {
    let history: CrashHistory = [];
    for (let at = 0; at < 1_000; at++) history = recordCrash(history, at);
    expect(history).toHaveLength(100);
  });
});
