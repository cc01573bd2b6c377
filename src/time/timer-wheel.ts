import { now, type Timer, time } from './clock.ts';

/** The width of a slot in ms: on a free event loop an entry fires at most this much late, and never early. */
const TICK_MS = 8;
/** The width of a slot for hedging, so that a hedge after 10 ms is not sent after nearly 20. */
const HEDGE_TICK_MS = 2;
const SLOTS = 512;
/** The slot of an entry that is not in the wheel. */
const IDLE = -1;
/** The slot of an entry that was taken out and expires in this tick unless it is removed first. */
const DUE = -2;

/** An entry of the wheel. The wheel links entries into its slots directly, so that a call needs no node of its own. */
export abstract class Expiring {
  /** The time of `clock.now()` at which `expire` is called; 0 = never. */
  expiresAt = 0;
  /** @internal */ wheelNext: Expiring | undefined = undefined;
  /** @internal */ wheelPrevious: Expiring | undefined = undefined;
  /** @internal The slot, or `IDLE` or `DUE`. */ wheelSlot = -1;
  abstract expire(at: number): void;
}

/**
 * A hashed timer wheel (Varghese & Lauck, "Hashed and hierarchical timing wheels", 1987): adding and removing a deadline
 * costs a few pointer writes, where a Node timer per call costs about 0.3 µs and an allocation.
 *
 * One ticker runs while the wheel is in use, and it keeps the process alive: it is ref'ed exactly while there are holds, so a
 * process lives as long as a call is queued or running, and at most a tick longer.
 */
export class TimerWheel {
  readonly #slots: Array<Expiring | undefined> = new Array(SLOTS).fill(undefined);
  #size = 0;
  #holds = 0;
  /** The last visited slot, counted from time 0. Some of its entries may not have been due at that time. */
  #cursor = 0;
  #ticker: Timer | undefined = undefined;
  #referenced = false;
  readonly #now: () => number;
  readonly #tickMs: number;

  constructor(clock: () => number = now, tickMs: number = TICK_MS) {
    this.#now = clock;
    this.#tickMs = tickMs;
  }

  /** The number of entries that wait to expire. */
  get size(): number {
    return this.#size;
  }

  /** Keeps the process alive until `release`. */
  hold(): void {
    this.#holds++;
    if (!this.#referenced) this.#start(true);
  }

  release(): void {
    this.#holds--;
  }

  add(entry: Expiring, expiresAt: number): void {
    entry.expiresAt = expiresAt;
    if (this.#ticker === undefined) this.#start(this.#holds > 0);
    // An entry whose time has passed fires at the next tick.
    const slot = Math.max(Math.floor(expiresAt / this.#tickMs), this.#cursor) % SLOTS;
    const head = this.#slots[slot];
    entry.wheelSlot = slot;
    entry.wheelNext = head;
    entry.wheelPrevious = undefined;
    if (head !== undefined) head.wheelPrevious = entry;
    this.#slots[slot] = entry;
    this.#size++;
  }

  /** Removes an entry; does nothing if it is not in the wheel. */
  remove(entry: Expiring): void {
    const slot = entry.wheelSlot;
    if (slot === IDLE) return;
    entry.wheelSlot = IDLE;
    if (slot === DUE) return;
    const { wheelNext: next, wheelPrevious: previous } = entry;
    if (previous === undefined) this.#slots[slot] = next;
    else previous.wheelNext = next;
    if (next !== undefined) next.wheelPrevious = previous;
    entry.wheelNext = undefined;
    entry.wheelPrevious = undefined;
    this.#size--;
  }

  #start(referenced: boolean): void {
    this.#referenced = referenced;
    if (this.#ticker === undefined) {
      this.#cursor = Math.floor(this.#now() / this.#tickMs);
      this.#ticker = time.every(this.#tickMs, () => this.#tick());
    }
    if (referenced) this.#ticker.ref();
    else this.#ticker.unref();
  }

  #tick(): void {
    const at = this.#now();
    const target = Math.floor(at / this.#tickMs);
    // After a blocked loop one round visits every slot; a longer way would visit slots twice.
    const first = Math.max(this.#cursor, target - SLOTS + 1);
    // Set before anything expires, so that an entry added meanwhile goes to a slot that is still visited.
    this.#cursor = target;
    for (let slot = first; slot <= target; slot++) this.#expireSlot(slot % SLOTS, at);
    if (this.#holds === 0) {
      if (this.#size === 0) this.#close();
      else if (this.#referenced) this.#start(false);
    }
  }

  #expireSlot(slot: number, at: number): void {
    if (this.#slots[slot] === undefined) return;
    const due: Expiring[] = [];
    for (let entry: Expiring | undefined = this.#slots[slot]; entry !== undefined; ) {
      const next: Expiring | undefined = entry.wheelNext;
      if (entry.expiresAt <= at) {
        this.remove(entry);
        entry.wheelSlot = DUE;
        due.push(entry);
      }
      entry = next;
    }
    // Expiring one entry may remove others, so the list of the slot is not walked meanwhile.
    for (const entry of due) {
      if (entry.wheelSlot !== DUE) continue;
      entry.wheelSlot = IDLE;
      entry.expire(at);
    }
  }

  #close(): void {
    time.cancel(this.#ticker);
    this.#ticker = undefined;
    this.#referenced = false;
  }
}

/** The wheel of this thread. */
export const wheel: TimerWheel = new TimerWheel();

/** The wheel of this thread with narrower slots, for hedging. */
export const hedgeWheel: TimerWheel = new TimerWheel(now, HEDGE_TICK_MS);
