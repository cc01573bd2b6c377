/** Number of causes that are told apart; a writer of forged documents could invent any number of them. */
const MAX_CAUSES = 128;
const OTHERS = 'others';

/** Lets one alarm of each cause through per period. */
export class Alarms {
  readonly #periodMs: number;
  readonly #raise: (cause: string, message: string) => void;
  /** Times of the last alarms, the oldest first. */
  readonly #raisedAt = new Map<string, number>();

  constructor(periodMs: number, raise: (cause: string, message: string) => void) {
    this.#periodMs = periodMs;
    this.#raise = raise;
  }

  raise(cause: string, message: string, now: number): void {
    for (const [known, at] of this.#raisedAt) {
      if (now - at < this.#periodMs) break;
      this.#raisedAt.delete(known);
    }
    const key = this.#raisedAt.size < MAX_CAUSES || this.#raisedAt.has(cause) ? cause : OTHERS;
    if (this.#raisedAt.has(key)) return;
    this.#raisedAt.set(key, now);
    this.#raise(cause, message);
  }
}
