/** Maximum number of participating threads; the order among further threads is arbitrary. */
const SLOTS = 64;

// The first word counts the slots that were ever taken; the slots follow on cache lines of their own.
const HEADER_BYTES = 64;
const SLOT_WORDS = 4;
const H_TAKEN = 0;
const H_PRIORITY = 1;
/** When the call became ready to be sent, in ms; 0 = no call waits. */
const H_SINCE = 2;
/** Sequence number of the freed places at which the thread has looked last. */
const H_LOOKED = 3;

export const QUEUE_HEADS_BYTES: number = HEADER_BYTES + 4 * SLOT_WORDS * SLOTS;

/** Waiting time, in ms, from which a call goes before younger calls of other threads. */
const PATIENCE_MS = 50;

/** The call at the head of a thread's queue. */
export interface QueueHead {
  readonly priorityRank: number;
  /** Time of `clock.now()` from which it counts as waiting. */
  readonly readyAt: number;
}

/**
 * Publishes since when the call at the head of each thread's queue waits, so that the oldest goes first, whichever
 * thread first learns of a freed place. A thread that has looked at the latest freed places, or is asleep, blocks no
 * other thread.
 */
export class QueueHeads {
  readonly #words: Int32Array;
  /** The slot of this thread; −1 = none. */
  #own = -1;
  /** The head that this thread has published. */
  #head: QueueHead | undefined = undefined;
  #looked = 0;
  /** By slot, the last sequence number that a sleeping thread had looked at. */
  readonly #asleep: Array<number | undefined> = [];

  constructor(shared: SharedArrayBuffer, byteOffset: number) {
    this.#words = new Int32Array(shared, byteOffset, QUEUE_HEADS_BYTES / 4);
  }

  /** Takes a slot for this thread. @returns the slot; −1 if all are taken */
  take(): number {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (Atomics.compareExchange(this.#words, wordOf(slot, H_TAKEN), 0, 1) !== 0) continue;
      for (let used = this.#used; used <= slot; used = this.#used)
        Atomics.compareExchange(this.#words, 0, used, slot + 1);
      Atomics.store(this.#words, wordOf(slot, H_LOOKED), this.#looked);
      this.#own = slot;
      return slot;
    }
    return -1;
  }

  /** Gives back a slot of this thread or of a thread that is gone. */
  giveBack(slot: number): void {
    if (slot === this.#own) this.#own = -1;
    Atomics.store(this.#words, wordOf(slot, H_SINCE), 0);
    Atomics.store(this.#words, wordOf(slot, H_TAKEN), 0);
  }

  /** Publishes the head of this thread's queue, which found no place among the places freed until `sequence`. */
  publish(head: QueueHead, sequence: number): void {
    const own = this.#own;
    if (own === -1) return;
    if (sequence !== this.#looked) Atomics.store(this.#words, wordOf(own, H_LOOKED), sequence);
    this.#looked = sequence;
    if (head === this.#head) return;
    this.#head = head;
    Atomics.store(this.#words, wordOf(own, H_PRIORITY), head.priorityRank);
    Atomics.store(this.#words, wordOf(own, H_SINCE), head.readyAt | 0 || 1);
  }

  /** Clears the head: no call of this thread waits. */
  clear(): void {
    if (this.#own === -1 || this.#head === undefined) return;
    this.#head = undefined;
    Atomics.store(this.#words, wordOf(this.#own, H_SINCE), 0);
  }

  /**
   * Waiting time of the call of another thread that goes first, in ms; 0 = no such call. A call goes first if it is no
   * less important, older, has waited for long, and its thread has yet to look at the latest freed places.
   */
  waitBefore(call: QueueHead, at: number, sequence: number): number {
    const words = this.#words;
    const used = words[0] as number;
    const { readyAt, priorityRank } = call;
    // Plain reads take a quarter of the time of atomic ones, and slightly outdated values do no harm.
    for (let slot = 0; slot < used; slot++) {
      const since = words[wordOf(slot, H_SINCE)] as number;
      if (since === 0 || slot === this.#own) continue;
      const waited = elapsed(since, at);
      if (waited <= PATIENCE_MS || elapsed(since, readyAt) <= 0) continue;
      if ((words[wordOf(slot, H_PRIORITY)] as number) > priorityRank) continue;
      const looked = words[wordOf(slot, H_LOOKED)] as number;
      if (looked !== sequence && looked !== this.#asleep[slot]) return waited;
    }
    return 0;
  }

  /** Notes where each thread has looked last: threads without progress when the result is called are asleep. */
  watch(sequence: number): () => void {
    const before: number[] = [];
    for (let slot = 0; slot < this.#used; slot++) before.push(this.#lookedOf(slot));
    return () => {
      for (const [slot, looked] of before.entries())
        if (looked !== sequence && this.#lookedOf(slot) === looked) this.#asleep[slot] = looked;
    };
  }

  #lookedOf(slot: number): number {
    return Atomics.load(this.#words, wordOf(slot, H_LOOKED));
  }

  get #used(): number {
    return Atomics.load(this.#words, 0);
  }
}

function wordOf(slot: number, word: number): number {
  return HEADER_BYTES / 4 + slot * SLOT_WORDS + word;
}

/** Time elapsed since a time in a word, which wraps with 32 bits. */
function elapsed(since: number, at: number): number {
  return ((at | 0) - since) | 0;
}
