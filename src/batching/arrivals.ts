/** Gaps that are remembered. */
const GAPS = 16;
/** Batches over whose time the number of callers is remembered. */
const PEAKS = 4;

/**
 * What the recent past says about the next arrival.
 *
 * Callers mostly wait for their result before they call again, so arrivals come in bursts right after a batch ends. The
 * lower quartile of the last gaps is the gap within a burst, which a mean would bury under the long gap between bursts;
 * the largest number of items under way is how many callers a burst brings back.
 */
export class Arrivals {
  readonly #gaps: number[] = [];
  readonly #peaks: number[] = new Array(PEAKS).fill(0);
  #last = 0;

  /** An item came. @param underWay items queued and running, this one included */
  arrived(at: number, underWay: number): void {
    if (this.#last !== 0) {
      this.#gaps.push(at - this.#last);
      if (this.#gaps.length > GAPS) this.#gaps.shift();
    }
    this.#last = at;
    this.#peaks[0] = Math.max(this.#peaks[0] as number, underWay);
  }

  /** A batch started: the number of callers may have changed since the last few. */
  batchStarted(): void {
    this.#peaks.pop();
    this.#peaks.unshift(0);
  }

  /** Time of the last arrival. */
  get last(): number {
    return this.#last;
  }

  /** Items that callers had under way at most, lately. */
  get callers(): number {
    return Math.max(...this.#peaks);
  }

  /** The likely gap to the next arrival, in ms; infinite while unknown. */
  get gapMs(): number {
    if (this.#gaps.length < 2) return Infinity;
    const sorted = [...this.#gaps].sort((x, y) => x - y);
    return sorted[Math.floor((sorted.length - 1) / 4)] as number;
  }
}
