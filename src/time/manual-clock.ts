import type { Clock } from './control-clock.ts';

interface Repeated {
  readonly ms: number;
  readonly run: () => void;
  dueAt: number;
}

/**
 * A clock for tests: its time stands still until `advance` is called, so a minute of delays passes in milliseconds.
 *
 * @example
 * const clock = new ManualClock();
 * const serve = createServe({ clock });
 * await clock.advance(60_000);
 */
export class ManualClock implements Clock {
  readonly #origin: number;
  #now = 0;
  readonly #repeated = new Set<Repeated>();

  /** @param origin the first timestamp, like `Date.now()`. Default: the current time */
  constructor(origin: number = Date.now()) {
    this.#origin = origin;
  }

  now(): number {
    return this.#now;
  }

  timestamp(): number {
    return this.#origin + this.#now;
  }

  every(ms: number, run: () => void): () => void {
    const repeated = { ms, run, dueAt: this.#now + ms };
    this.#repeated.add(repeated);
    return () => this.#repeated.delete(repeated);
  }

  /**
   * Lets time pass, one due moment after the other, with a turn of the event loop after each.
   * @param ms the time to pass, ≥ 0
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) {
      this.#now = due.dueAt;
      due.dueAt += due.ms;
      due.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#now = end;
  }

  /** The repetition that is due first, if any is due by `end`. */
  #next(end: number): Repeated | undefined {
    let next: Repeated | undefined;
    for (const repeated of this.#repeated) {
      if (repeated.dueAt <= end && repeated.dueAt < (next?.dueAt ?? Infinity)) next = repeated;
    }
    return next;
  }
}
