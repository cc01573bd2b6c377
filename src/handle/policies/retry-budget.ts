import { SecondCounts } from '../../load/second-counts.ts';

export interface BudgetOptions {
  /** Extra calls per call. */
  readonly ratio: number;
  /** Extra calls per second that are allowed however few calls there are. */
  readonly perSecond: number;
  /** Length of the window whose calls count, in seconds. */
  readonly windowSeconds: number;
}

/** Finagle's retry budget: 20 % of the calls and 10 per second, over 10 s. */
export const RETRY_BUDGET: BudgetOptions = { ratio: 0.2, perSecond: 10, windowSeconds: 10 };

/** The shared counts of an instance's calls to one deployment. */
export interface BudgetCounts {
  readonly calls: SecondCounts;
  readonly extra: SecondCounts;
}

/**
 * Bounds extra work in proportion to regular work: an extra call is made only while the extra calls of the window, this
 * one included, are ≤ ratio × calls + perSecond × window. Both are kept per second and a call leaves the window no
 * later than the extra call that it pays for, so no call pays twice: without `perSecond` the extra calls of all time
 * are at most ratio × the calls of all time.
 */
export class RetryBudget {
  readonly #options: BudgetOptions;
  readonly #counts: BudgetCounts;

  constructor(
    options: BudgetOptions = RETRY_BUDGET,
    counts: BudgetCounts = { calls: new SecondCounts(), extra: new SecondCounts() },
  ) {
    this.#options = options;
    this.#counts = counts;
  }

  /** Calls were made. @param at in ms */
  deposit(calls: number, at: number): void {
    this.#counts.calls.add(calls, secondOf(at));
  }

  /** Withdraws one extra call; false if the budget is spent. @param at in ms */
  withdraw(at: number): boolean {
    const second = secondOf(at);
    const { ratio, perSecond, windowSeconds } = this.#options;
    const { calls, extra } = this.#counts;
    // 1e-9: 0.2 × 5 calls are one extra call, whatever binary fractions make of it.
    const allowed = ratio * calls.sum(second, windowSeconds) + perSecond * windowSeconds + 1e-9;
    return extra.addWithin(allowed, second, windowSeconds);
  }
}

function secondOf(at: number): number {
  return Math.max(0, Math.floor(at / 1_000));
}
