import { performance } from 'node:perf_hooks';
import { HoldingTime } from './holding-time.ts';

/** While calls await something, minimum interval between readings of the loop's own statistics (0.6 µs), in ms. */
const SAMPLE_MS = 1;

/**
 * Measures how long the calls of a replica hold its loop. While calls end in the turn in which they began, the turns are
 * timed; while some await something, work that follows an `await` counts as well: the time for which the loop was not
 * waiting for events, over the calls that ended in it.
 */
export class HoldingMeter {
  readonly holding: HoldingTime = new HoldingTime();
  #activeMs = 0;
  #ended = 0;
  /** Active time of the loop at the last reading; undefined while no call awaits anything. */
  #baseline: number | undefined = undefined;
  #sampledAt = 0;
  readonly #loopActiveMs: () => number;

  /** @param loopActiveMs active time of this thread's loop since its start */
  constructor(loopActiveMs: () => number = () => performance.eventLoopUtilization().active) {
    this.#loopActiveMs = loopActiveMs;
  }

  /**
   * The loop has turned.
   * @param heldSince when the work of that turn began; 0 = no work
   * @param open calls that have not ended
   * @param ended calls that ended in that turn
   */
  turned(at: number, heldSince: number, open: number, ended: number): void {
    this.#ended += ended;
    if (this.#baseline === undefined) {
      if (heldSince !== 0) this.#activeMs += at - heldSince;
      if (open > 0 && ended === 0) this.holding.expect(this.#activeMs / open);
      this.#observe();
      if (open > 0) this.#sample(at);
    } else if (open === 0 || (this.#ended > 0 && at - this.#sampledAt >= SAMPLE_MS)) {
      this.#sample(at);
      this.#observe();
      if (open === 0) this.#baseline = undefined;
    }
  }

  #sample(at: number): void {
    const active = this.#loopActiveMs();
    if (this.#baseline !== undefined) this.#activeMs += active - this.#baseline;
    this.#baseline = active;
    this.#sampledAt = at;
  }

  #observe(): void {
    if (this.#ended === 0) return;
    this.holding.observe(this.#activeMs, this.#ended);
    this.#activeMs = 0;
    this.#ended = 0;
  }
}
