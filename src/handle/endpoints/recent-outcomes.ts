/** Time that the counts reach back, in ms. */
const PERIOD_MS = 10_000;
/**
 * Number of calls that the counts reach back, so that a replica that begins to fail shows it soon, however well it
 * served before.
 */
const MOST_CALLS = 50;

/**
 * Calls and failures of about the last 10 s, or the last 50 calls: the counts of this period plus the remaining share
 * of the previous period, scaled down to 50 calls.
 */
export class RecentOutcomes {
  #period = 0;
  #calls = 0;
  #failures = 0;
  #callsBefore = 0;
  #failuresBefore = 0;
  /** Share of the previous period that still counts. */
  #left = 0;

  add(calls: number, failures: number, at: number): void {
    this.#moveTo(at);
    const excess = (this.calls + calls) / MOST_CALLS;
    // The latest counts are kept in full up to the limit.
    const kept = excess <= 1 ? 1 : Math.max(0, MOST_CALLS - calls) / this.calls || 0;
    const added = calls <= MOST_CALLS ? 1 : MOST_CALLS / calls;
    this.#calls = this.#calls * kept + calls * added;
    this.#failures = this.#failures * kept + failures * added;
    this.#callsBefore *= kept;
    this.#failuresBefore *= kept;
  }

  get calls(): number {
    return this.#calls + this.#callsBefore * this.#left;
  }

  get failures(): number {
    return this.#failures + this.#failuresBefore * this.#left;
  }

  forget(): void {
    this.#calls = this.#failures = this.#callsBefore = this.#failuresBefore = 0;
  }

  #moveTo(at: number): void {
    const period = Math.floor(at / PERIOD_MS);
    if (period !== this.#period) {
      const isNext = period === this.#period + 1;
      this.#callsBefore = isNext ? this.#calls : 0;
      this.#failuresBefore = isNext ? this.#failures : 0;
      this.#calls = this.#failures = 0;
      this.#period = period;
    }
    this.#left = 1 - (at / PERIOD_MS - period);
  }
}
