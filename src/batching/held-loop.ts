import { time } from '../time/clock.ts';

/** Messages that came while the loop was held are delivered turn by turn; after this many turns without one all are here. */
const QUIET_TURNS = 3;

/**
 * Distinguishes items that came while a batch held the loop from items that came after it. Both are received afterwards, but
 * the first ones in the next turns, before an answered caller on another thread can call again. An answered caller on this
 * thread calls again before anything else is received.
 */
export class HeldLoop {
  /** The items under way while the loop was held, minus the queued ones; undefined when all items have been received. */
  #others: number | undefined = undefined;
  #quietTurns = 0;

  /** Called when a batch starts. @returns a function that tells whether the loop has been held since then */
  watch(): () => boolean {
    let isHeld = true;
    time.soon(() => {
      isHeld = false;
    });
    return () => isHeld;
  }

  /**
   * Called when a batch that held the loop has ended.
   * @param underWay the number of items that were known while it ran, its own and the queued ones
   * @param queued returns the number of items that are queued now
   */
  ended(underWay: number, queued: () => number): void {
    process.nextTick(() => {
      const isReceiving = this.#others !== undefined;
      this.#others = underWay - queued();
      this.#quietTurns = 0;
      if (!isReceiving) this.#receive();
    });
  }

  /**
   * Called when an item is received.
   * @param queued the number of items that are queued now, including this one
   * @returns the number of items under way when it came, if it came while the loop was held
   */
  received(queued: number): number | undefined {
    this.#quietTurns = 0;
    return this.#others === undefined ? undefined : this.#others + queued;
  }

  #receive(): void {
    time.soon(() => {
      if (++this.#quietTurns < QUIET_TURNS) this.#receive();
      else this.#others = undefined;
    });
  }
}
