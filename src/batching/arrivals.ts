/** The number of gaps that are remembered. */
const GAPS = 32;
/** The number of batches over which the number of callers is remembered. */
const PEAKS = 4;

/**
 * Estimates from the recent past how many callers there are, and how soon after an answer they call again.
 *
 * A caller that waits for its result comes back right after the end of a batch. A gap is therefore the time since the
 * previous arrival or, if there was an answer after it, since the first answer. The gaps of such callers are short compared
 * with a batch. The gaps of independent callers are as long as the time between arrivals, whatever the moment from which they
 * are measured (an exponential distribution has no memory).
 */
export class Arrivals {
  readonly #gaps = new Float64Array(GAPS);
  #counted = 0;
  /** The median gap; undefined if it has to be computed again. */
  #median: number | undefined = undefined;
  readonly #peaks: number[] = new Array(PEAKS).fill(0);
  /** The time of the last arrival, or of the first answer since then; 0 before the first arrival. */
  #since = 0;
  #isAnswered = true;

  /** Notes the arrival of an item. @param underWay the number of queued and running items, including this one */
  arrived(at: number, underWay: number): void {
    if (this.#since !== 0) this.#gaps[this.#counted++ % GAPS] = at - this.#since;
    this.#since = at;
    this.#isAnswered = false;
    this.#peaks[0] = Math.max(this.#peaks[0] as number, underWay);
  }

  /** Notes an item that had arrived earlier, while the loop was held, and is received only now. */
  wasUnderWay(underWay: number): void {
    this.#isAnswered = false;
    this.#peaks[0] = Math.max(this.#peaks[0] as number, underWay);
  }

  /** Whether an answer followed the last arrival; further answers do not matter. */
  get isAnswered(): boolean {
    return this.#isAnswered;
  }

  /** Notes that an item was answered, so that its caller may come back. */
  answered(at: number): void {
    this.#since = at;
    this.#isAnswered = true;
  }

  /** Notes that a batch started, and forgets the number of callers during the oldest remembered batch. */
  batchStarted(): void {
    this.#peaks.pop();
    this.#peaks.unshift(0);
    this.#median = undefined;
  }

  /** The time from which the gap to the next arrival is measured. */
  get since(): number {
    return this.#since;
  }

  /** The largest number of items that were recently under way at once. */
  get callers(): number {
    return Math.max(...this.#peaks);
  }

  /** The median gap at the start of the last batch, in ms; 0 while unknown, so that batches wait until it is measured. */
  get gapMs(): number {
    if (this.#counted < 2) return 0;
    if (this.#median === undefined) {
      const sorted = this.#gaps.slice(0, Math.min(this.#counted, GAPS)).sort();
      this.#median = sorted[Math.floor((sorted.length - 1) / 2)] as number;
    }
    return this.#median;
  }
}
