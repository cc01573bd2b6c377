/** An answer that takes this many times as long is no chance: the estimate jumps to it. */
const PEAK = 4;
/** Any other answer moves the estimate by at most this share of the difference; a slower one always does. */
const STEP = 0.25;
/** Time constant, in ms, with which faster answers take effect. */
const FALL_MS = 2_000;
/** A replica that is not called is as good as its siblings after so long, in ms, and twice its latency. */
const FADE_MS = 3_000;

/**
 * The latency of a replica as a peak-sensitive moving average (after Finagle's load metric): it rises with each slower answer
 * at once, and falls with faster ones over time. Without answers nothing is learnt, and what is known says less and less:
 * the estimate falls to the median of all replicas, evenly in the logarithm, so that it takes as long from 1.5 s to 1 ms as
 * to 100 ms.
 *
 * It does not jump to every peak: with exponential durations that leaves each replica in turn without calls for seconds.
 */
export class PeakLatency {
  #ms = 0;
  #observedMs = 0;
  #observedAt = 0;
  #isKnown = false;

  /** The estimate, in ms; 0 while nothing is known of any replica. */
  get ms(): number {
    return this.#ms;
  }

  /** Whether a call ever took a known time. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** An answer took so long. */
  observe(ms: number, at: number): void {
    if (!this.#isKnown) {
      this.#isKnown = true;
      this.#set(ms, at);
    } else if (ms > this.#ms) {
      this.#rise(ms, at);
    } else if (at > this.#observedAt) {
      // Of the answers in one message only the first takes time to have an effect.
      const share = Math.min(STEP, (at - this.#observedAt) / FALL_MS);
      this.#set(this.#ms + (ms - this.#ms) * share, at);
    }
  }

  /** An answer would take so long at least. */
  observeAtLeast(ms: number, at: number): void {
    if (ms > this.#ms) this.#rise(ms, at);
  }

  /** Brings the estimate up to the present. @param median of all replicas, in ms; 0 = unknown */
  fade(at: number, median: number): void {
    const observed = this.#observedMs;
    if (observed <= median || median === 0) {
      this.#ms = this.#isKnown ? observed : median;
      return;
    }
    const left = 1 - (at - this.#observedAt) / (FADE_MS + 2 * observed);
    this.#ms = left <= 0 ? median : median * (observed / median) ** Math.min(1, left);
  }

  #rise(ms: number, at: number): void {
    this.#set(ms > PEAK * this.#ms ? ms : this.#ms + (ms - this.#ms) * STEP, at);
  }

  #set(ms: number, at: number): void {
    this.#ms = ms;
    this.#observedMs = ms;
    this.#observedAt = at;
  }
}
