/** Minimum time between two measurements, in ms. */
const INTERVAL_MS = 10;
/** Weight of the last measurement. */
const NEWEST = 0.5;

/** Number of calls that end per ms. */
export class Pace {
  #perMs = 0;
  #count = 0;
  #measuredAt: number;

  constructor(at: number) {
    this.#measuredAt = at;
  }

  get perMs(): number {
    return this.#perMs;
  }

  count(): void {
    this.#count++;
  }

  measure(at: number): void {
    const elapsed = at - this.#measuredAt;
    if (elapsed < INTERVAL_MS) return;
    this.#perMs += (this.#count / elapsed - this.#perMs) * NEWEST;
    this.#count = 0;
    this.#measuredAt = at;
  }
}
