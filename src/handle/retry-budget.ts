export interface BudgetOptions {
  /** Extra calls per call. */
  readonly ratio: number;
  /** Extra calls per second that are allowed however few calls there are. */
  readonly perSecond: number;
  /** What counts: the calls of so many seconds. */
  readonly windowSeconds: number;
}

/** Finagle's retry budget: 20 % of the calls and 10 per second, over 10 s. */
export const RETRY_BUDGET: BudgetOptions = { ratio: 0.2, perSecond: 10, windowSeconds: 10 };

/**
 * Bounds extra work by the work there is: an extra call is made only while the extra calls of the window, this one
 * included, are ≤ ratio × calls + perSecond × window. Both are kept per second and a call leaves the window no later than
 * what it pays for, so nothing is paid for twice: without `perSecond` the extra calls of all time are at most ratio × the
 * calls of all time.
 */
export class RetryBudget {
  readonly #options: BudgetOptions;
  /** Per second of the window; the slot of a second is that second modulo the window. */
  readonly #calls: Float64Array;
  readonly #extra: Float64Array;
  /** The second of the newest slot. */
  #second = Number.NEGATIVE_INFINITY;
  #callsInWindow = 0;
  #extraInWindow = 0;

  constructor(options: BudgetOptions = RETRY_BUDGET) {
    this.#options = options;
    this.#calls = new Float64Array(options.windowSeconds);
    this.#extra = new Float64Array(options.windowSeconds);
  }

  /** Calls were made. @param at in ms */
  deposit(calls: number, at: number): void {
    const slot = this.#slot(at);
    (this.#calls[slot] as number) += calls;
    this.#callsInWindow += calls;
  }

  /** Takes one extra call out; false if there is none left. @param at in ms */
  withdraw(at: number): boolean {
    const slot = this.#slot(at);
    const { ratio, perSecond, windowSeconds } = this.#options;
    const allowed = ratio * this.#callsInWindow + perSecond * windowSeconds;
    // 1e-9: 0.2 × 5 calls are one extra call, whatever binary fractions make of it.
    if (this.#extraInWindow + 1 > allowed + 1e-9) return false;
    (this.#extra[slot] as number)++;
    this.#extraInWindow++;
    return true;
  }

  #slot(at: number): number {
    const { windowSeconds } = this.#options;
    // A clock never goes back; a reading that was taken earlier may come later.
    const second = Math.max(Math.floor(at / 1_000), this.#second);
    const gone = Math.min(second - this.#second, windowSeconds);
    for (let step = 0; step < gone; step++) this.#clear((second - step + windowSeconds) % windowSeconds);
    this.#second = second;
    return second % windowSeconds;
  }

  #clear(slot: number): void {
    this.#callsInWindow -= this.#calls[slot] as number;
    this.#extraInWindow -= this.#extra[slot] as number;
    this.#calls[slot] = 0;
    this.#extra[slot] = 0;
  }
}
