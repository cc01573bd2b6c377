import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Harness } from '../../../test/support/routing/route-harness.ts';
import { RETRY_BUDGET, RetryBudget } from './retry-budget.ts';
import { retryPauseMs } from './retry-policy.ts';

function withdrawals(budget: RetryBudget, at: number): number {
  let count = 0;
  while (count < 1_000_000 && budget.withdraw(at)) count++;
  return count;
}

describe('retry budget', () => {
  test('allows 20 % of the calls and 10 per second, over 10 s', () => {
    const idle = new RetryBudget();
    expect(withdrawals(idle, 0)).toBe(100);
    const busy = new RetryBudget();
    busy.deposit(1_000, 0);
    expect(withdrawals(busy, 500)).toBe(300);
  });

  test('what leaves the window gives its share back, and takes its calls along', () => {
    const budget = new RetryBudget();
    budget.deposit(1_000, 0);
    expect(withdrawals(budget, 0)).toBe(300);
    expect(withdrawals(budget, 9_999)).toBe(0);
    expect(withdrawals(budget, 10_000)).toBe(100);
  });

  test('a share alone is exact, whatever binary fractions make of it', () => {
    const budget = new RetryBudget({ ratio: 0.05, perSecond: 0, windowSeconds: 10 });
    budget.deposit(19, 0);
    expect(budget.withdraw(0)).toBe(false);
    budget.deposit(1, 0);
    expect(withdrawals(budget, 0)).toBe(1);
    budget.deposit(10_000, 0);
    expect(withdrawals(budget, 0)).toBe(500);
  });

  test('never more in all than the ratio of the calls in all, nor in any window', () => {
    const steps = fc.array(
      fc.record({ wait: fc.integer({ min: 0, max: 4_000 }), calls: fc.nat(50), tries: fc.nat(20) }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.constantFrom(0, 1, 10), (script, perSecond) => {
        const options = { ...RETRY_BUDGET, perSecond };
        const budget = new RetryBudget(options);
        const log: Array<{ at: number; calls: number; extra: number }> = [];
        let at = 0;
        for (const { wait, calls, tries } of script) {
          at += wait;
          budget.deposit(calls, at);
          let extra = 0;
          for (let attempt = 0; attempt < tries; attempt++) if (budget.withdraw(at)) extra++;
          log.push({ at, calls, extra });
          const second = Math.floor(at / 1_000);
          const window = log.filter((entry) => Math.floor(entry.at / 1_000) > second - 10);
          const sum = (of: 'calls' | 'extra', entries: typeof log): number =>
            entries.reduce((total, entry) => total + entry[of], 0);
          if (extra > 0)
            expect(sum('extra', window)).toBeLessThanOrEqual(
              0.2 * sum('calls', window) + perSecond * 10 + 1e-6,
            );
          if (perSecond === 0) expect(sum('extra', log)).toBeLessThanOrEqual(0.2 * sum('calls', log) + 1e-6);
        }
      }),
    );
  });

  test('the pause has full jitter, from 25 to 250 ms', () => {
    expect([1, 2, 3, 4, 5, 9].map((attempts) => retryPauseMs(attempts, 1))).toEqual([
      25, 50, 100, 200, 250, 250,
    ]);
    expect(retryPauseMs(3, 0)).toBe(0);
    expect(retryPauseMs(2, 0.5)).toBe(25);
  });
});

describe('a budget is that of a deployment, whichever threads call it', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('retries', () => {
    const mine = new Harness({ idempotent: true });
    const theirs = new Harness({ idempotent: true }, -1, undefined, mine);
    // Each call dies with its replica: what is retried waits for another one.
    for (let n = 0; n < 100; n++) {
      for (const harness of [mine, theirs]) {
        const replica = harness.start();
        harness.call();
        harness.kill(replica, 1);
      }
    }
    const count = (of: 'retries' | 'retries_denied'): number =>
      [mine, theirs].reduce((sum, { route }) => sum + (route.counters.counts[of] ?? 0), 0);
    // 10 per second over 10 s, and 20 % of 200 calls.
    expect([count('retries'), count('retries_denied')]).toEqual([140, 60]);
    for (const harness of [mine, theirs]) harness.finish();
  });

  test('hedges', () => {
    const config = { idempotent: true, hedge: { afterMs: 10, maxExtraRatio: 0.1 } } as const;
    const mine = new Harness(config);
    const theirs = new Harness(config, -1, undefined, mine);
    for (const harness of [mine, theirs]) {
      harness.start(100);
      harness.start(100);
      for (let n = 0; n < 50; n++) harness.call();
    }
    for (const { calls } of [mine, theirs]) for (const call of calls) call.hedge?.expire(call.sentAt + 10);
    const hedges = [mine, theirs].map(({ route }) => route.counters.counts.hedges ?? 0);
    expect(hedges).toEqual([10, 0]);
    for (const harness of [mine, theirs]) harness.finish();
  });
});
