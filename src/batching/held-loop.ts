import { time } from '../time/clock.ts';

/** Messages that came while the loop was held are handed over turn by turn; after so many turns without one all are here. */
const QUIET_TURNS = 3;

/**
 * Tells items that came while a batch held the loop from those that came after it. Both are received afterwards; but the
 * first ones in the next turns, before an answered caller can be back from another thread. An answered caller of this
 * thread is back before anything else is received.
 */
export class HeldLoop {
  /** Items that were under way while the loop was held, less those that are queued; undefined when all are received. */
  #others: number | undefined = undefined;
  #quietTurns = 0;

  /** A batch starts. @returns whether the loop has not turned since then */
  watch(): () => boolean {
    let isHeld = true;
    time.soon(() => {
      isHeld = false;
    });
    return () => isHeld;
  }

  /**
   * A batch that held the loop is over.
   * @param underWay items that were known while it ran, its own and the queued ones
   * @param queued items that are queued now
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
   * An item is received.
   * @param queued items that are queued now, this one included
   * @returns how many were under way when it came, if that was while the loop was held
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
