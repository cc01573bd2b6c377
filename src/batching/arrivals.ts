/** Gaps that are remembered. */
const GAPS = 32;
/** Batches over whose time the number of callers is remembered. */
const PEAKS = 4;

/**
 * How many callers there are, and how soon after an answer they call again, by the recent past.
 *
 * A caller that waits for its result comes back right after the end of a batch. A gap is therefore the time from the
 * arrival before it or, if there was one since, from the first answer. The gaps of such callers are short against a
 * batch; those of independent callers are as long as the arrivals are far apart, wherever they are counted from (an
 * exponential distribution has no memory).
 */
export class Arrivals {
  readonly #gaps = new Float64Array(GAPS);
  #counted = 0;
  /** The median; undefined where it has to be computed again. */
  #median: number | undefined = undefined;
  readonly #peaks: number[] = new Array(PEAKS).fill(0);
  /** Time of the last arrival, or of the first answer since then; 0 before the first arrival. */
  #since = 0;
  #isAnswered = true;

  /** An item came. @param underWay items queued and running, this one included */
  arrived(at: number, underWay: number): void {
    if (this.#since !== 0) this.#gaps[this.#counted++ % GAPS] = at - this.#since;
    this.#since = at;
    this.#isAnswered = false;
    this.#peaks[0] = Math.max(this.#peaks[0] as number, underWay);
  }

  /** An item was received that had come earlier, while the loop was held. */
  wasUnderWay(underWay: number): void {
    this.#isAnswered = false;
    this.#peaks[0] = Math.max(this.#peaks[0] as number, underWay);
  }

  /** Whether the last arrival was followed by an answer; further ones are of no interest. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** An item was answered: its caller may come back. */
  answered(at: number): void {
    this.#since = at;
    this.#isAnswered = true;
  }

  /** A batch started: the number of callers may have changed since the last few. */
  batchStarted(): void {
    this.#peaks.pop();
    this.#peaks.unshift(0);
    this.#median = undefined;
  }

  /** The time from which the gap to the next arrival counts. */
  get since(): number {
    return this.#since;
  }

  /** The largest number of items that were under way at once, lately. */
  get callers(): number {
    return Math.max(...this.#peaks);
  }

  /** The median gap at the start of the last batch, in ms; 0 while unknown, so that it is found out. */
  get gapMs(): number {
    if (this.#counted < 2) return 0;
    if (this.#median === undefined) {
      const sorted = this.#gaps.slice(0, Math.min(this.#counted, GAPS)).sort();
      this.#median = sorted[Math.floor((sorted.length - 1) / 2)] as number;
    }
    return this.#median;
  }
}
