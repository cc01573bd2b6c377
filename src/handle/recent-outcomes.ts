/** How far back the counts reach, in ms. */
const PERIOD_MS = 10_000;

/** Calls and failures of about the last 10 s: those of this period, and of the one before as much as is not over. */
export class RecentOutcomes {
  #period = 0;
  #calls = 0;
  #failures = 0;
  #callsBefore = 0;
  #failuresBefore = 0;
  #share = 0;

  add(calls: number, failures: number, at: number): void {
    this.#moveTo(at);
    this.#calls += calls;
    this.#failures += failures;
  }

  get calls(): number {
    return this.#calls + this.#callsBefore * this.#share;
  }

  get failures(): number {
    return this.#failures + this.#failuresBefore * this.#share;
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
    this.#share = 1 - (at / PERIOD_MS - period);
  }
}
