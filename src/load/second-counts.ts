/** The slot of a second is that second modulo this: more than a window, so a late reading of the clock does no harm. */
const SLOTS = 16;
/** A slot's word packs `turn << 20 | count`: the turn tells a second from those 16 s, 32 s … before. */
const COUNT_BITS = 20;
const MOST: number = (1 << COUNT_BITS) - 1;
const TURNS = 1 << (32 - COUNT_BITS);
/** Number of turns by which a clock reading may be late: a minute. */
const LATE_TURNS = 4;

export const SECOND_COUNTS_BYTES: number = 4 * SLOTS;

/**
 * Counts events per second in shared memory, over all threads: one atomic addition per event. Old counts vanish by
 * themselves, since a second's slot is reused by the sixteenth second after it; a count that was not read for 18 hours
 * may be mistaken for a new one.
 */
export class SecondCounts {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(SECOND_COUNTS_BYTES), byteOffset = 0) {
    this.#words = new Int32Array(shared, byteOffset, SLOTS);
  }

  /** @param second by the clock that all threads share */
  add(count: number, second: number): void {
    const slot = second % SLOTS;
    const turn = turnOf(second);
    for (;;) {
      const word = Atomics.load(this.#words, slot);
      if (word >>> COUNT_BITS === turn) {
        // The count saturates at a million a second.
        if ((word & MOST) + count <= MOST) Atomics.add(this.#words, slot, count);
        return;
      }
      // The clock was read long ago: the slot belongs to a later second by now.
      const later = ((word >>> COUNT_BITS) - turn) & (TURNS - 1);
      if (word !== 0 && later <= LATE_TURNS) return;
      const first = (turn << COUNT_BITS) | Math.min(count, MOST);
      if (Atomics.compareExchange(this.#words, slot, word, first) === word) return;
    }
  }

  /** Events of that second and the `seconds − 1` before it. @param seconds at most 15 */
  sum(second: number, seconds: number): number {
    let sum = 0;
    for (let at = Math.max(0, second - seconds + 1); at <= second; at++) sum += this.#count(at);
    return sum;
  }

  /**
   * Counts one more event if at most `most` events fall into those seconds then. The result is exact over threads that
   * agree on the second: a thread that loses the race looks again.
   */
  addWithin(most: number, second: number, seconds: number): boolean {
    const slot = second % SLOTS;
    const turn = turnOf(second);
    for (;;) {
      const word = Atomics.load(this.#words, slot);
      const count = word >>> COUNT_BITS === turn ? word & MOST : 0;
      if (this.sum(second - 1, seconds - 1) + count + 1 > most || count === MOST) return false;
      const next = (turn << COUNT_BITS) | (count + 1);
      if (Atomics.compareExchange(this.#words, slot, word, next) === word) return true;
    }
  }

  #count(second: number): number {
    const word = Atomics.load(this.#words, second % SLOTS);
    return word >>> COUNT_BITS === turnOf(second) ? word & MOST : 0;
  }
}

function turnOf(second: number): number {
  return Math.floor(second / SLOTS) % TURNS;
}
