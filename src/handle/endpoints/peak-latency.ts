/** An answer that takes this many times the estimate is not a coincidence: the estimate jumps to its latency. */
const PEAK = 4;
/** Any other answer moves the estimate by at most this share of the difference; a slower one always does. */
const STEP = 0.25;
/** Time constant, in ms, with which faster answers take effect. */
const FALL_MS = 2_000;
/** Time, in ms, plus twice its latency, after which an uncalled replica counts as good as its siblings. */
const FADE_MS = 3_000;

/**
 * The latency of a replica as a peak-sensitive moving average (after Finagle's load metric): it rises with each slower
 * answer at once, and falls with faster ones over time. Without answers the estimate loses its weight: it falls to the
 * median of all replicas, evenly in the logarithm, so that it takes as long from 1.5 s to 1 ms as to 100 ms.
 *
 * The estimate does not jump to every peak: with exponential durations that leaves each replica in turn without calls
 * for seconds.
 */
export class PeakLatency {
  #ms = 0;
  #observedMs = 0;
  #observedAt = 0;
  #isKnown = false;

  /** The estimate, in ms; 0 while no latency of any replica is known. */
  get ms(): number {
    return this.#ms;
  }

  /** Whether the latency of any call is known. */
  get isKnown(): boolean {
    return this.#isKnown;
  }

  /** Records the latency of an answer. */
  observe(ms: number, at: number): void {
    if (!this.#isKnown) {
      this.#isKnown = true;
      this.#set(ms, at);
    } else if (ms > this.#ms) {
      this.#rise(ms, at);
    } else if (at > this.#observedAt) {
      // Only the first answer in a message has elapsed time to take effect over.
      const share = Math.min(STEP, (at - this.#observedAt) / FALL_MS);
      this.#set(this.#ms + (ms - this.#ms) * share, at);
    }
  }

  /** Records a lower bound of an answer's latency. */
  observeAtLeast(ms: number, at: number): void {
    if (ms > this.#ms) this.#rise(ms, at);
  }

  /** Updates the estimate to the present. @param median of all replicas, in ms; 0 = unknown */
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
