import { now, type Timer, time } from '../../time/clock.ts';

/** Period of the readings of the clock, in ms. */
const LOOK_MS = 100;
/** A longer gap between two readings, in ms, means that this thread did not run. */
const LONG_GAP_MS = 500;

/**
 * Tells for how long frames may have waited before they are read: after the process was frozen, or this thread was held, the
 * calls in its sockets may have expired long ago, since only their remaining time travels.
 */
export class Lateness {
  /** The length of the gap that the last reading found, while frames that waited in it are read, in ms. */
  #gapMs = 0;
  #lookedAt = now();
  readonly #timer: Timer;

  constructor() {
    this.#timer = time.every(LOOK_MS, () => this.#look());
    this.#timer.unref();
  }

  /**
   * Upper bound of the time for which a frame that is read now has waited, in ms.
   *
   * @param at the time of `clock.now()`
   */
  msAt(at: number): number {
    // A thread that was stopped right before it looked at its sockets reads them before its timers run.
    const gapMs = at - this.#lookedAt;
    return gapMs < LONG_GAP_MS ? this.#gapMs : Math.max(gapMs, this.#gapMs);
  }

  close(): void {
    time.cancel(this.#timer);
  }

  #look(): void {
    const at = now();
    const gap = at - this.#lookedAt;
    this.#lookedAt = at;
    if (gap < LONG_GAP_MS) return;
    this.#gapMs = gap;
    // Where timers come before sockets, what has waited is read in this turn of the loop and the next.
    time.soon(() =>
      time.soon(() => {
        this.#gapMs = 0;
      }),
    );
  }
}
