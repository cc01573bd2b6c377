import { time } from '../time/clock.ts';
import { MODEL_TABLE_BYTES, ModelTable } from './model-table.ts';

/**
 * Exact loads in shared memory. Every caller thread reads them and reserves a place with one compare-and-exchange
 * (measured: reserve and release 70–100 ns), so `maxOngoingRequests` and `maxQueuedRequests` hold over all threads
 * without a message, a probe or a cache that could be stale.
 *
 * Four small tables, those of a deployment in `deployment-load.ts`, each in a `SharedArrayBuffer` of its own; nothing
 * is ever reused, so no epochs are needed (docs/decisions/004-load-table.md):
 *
 * | table | one per | written by |
 * | --- | --- | --- |
 * | `ReplicaLoad` | replica | callers reserve, the replica releases and opens, the host sets state and limit |
 * | `DeploymentLoad` | deployment and instance | callers queue, replicas announce freed places |
 * | `LinkLedger` | channel | the caller counts what it reserved; whichever end has a call claims it |
 * | `QueueLedger` | caller thread and deployment | the caller; the host gives it back when the caller dies |
 *
 * A caller thread may be terminated at any time, and the places that it held must be known then. V8 ends a thread at
 * calls and loops, and `Atomics` functions are calls: of kills during an endless sequence of pairs of them, every
 * second one landed between the two. So each change of a shared word is booked by a plain store to the thread's own
 * ledger right behind it, where no call and no loop stands between (0 of 4,800 kills).
 *
 * Words that decide nothing by themselves are read and written plainly (an `Atomics` function costs 10 ns): a place is
 * only taken by the one exchange on the replica's word.
 */
export const REPLICA_STATE = { starting: 0, ready: 1, stuck: 2, draining: 3, dead: 4 } as const;
export type ReplicaStateCode = (typeof REPLICA_STATE)[keyof typeof REPLICA_STATE];

/** The word packs `state << 24 | ongoing`, so one exchange checks both. */
const STATE_SHIFT = 24;
const ONGOING_MASK = (1 << STATE_SHIFT) - 1;
/** The largest limit that fits the word. */
export const MAX_ONGOING_LIMIT: number = ONGOING_MASK;

export const RESERVED = { ok: 0, full: 1, gone: 2 } as const;
export type Reservation = (typeof RESERVED)[keyof typeof RESERVED];

/** 64 bytes each, so that two tables never share a cache line. */
export const TABLE_BYTES = 64;

// Words of a replica's table. Callers change the first words with each call.
const R_WORD = 0;
const R_LIMIT = 1;
const R_SERVED = 2;
// The following words stand on a cache line of their own; only the replica changes them, once per turn of its loop.
const R_TICK = 16;
/** Number of calls for which the replica is open: the begun calls, and a few ahead. */
const R_OPEN = 17;
/** Number of calls for which the replica stays open while its loop is held: batches fill up meanwhile. */
const R_OPEN_HELD = 18;
/** Time since which begun calls hold the replica's loop; 0 = the loop turns. */
const R_HELD_SINCE = 19;
/** Deadlines of the call that holds the loop, and the latest deadline of all begun calls; 0 = none. */
const R_OWNER_DEADLINE = 20;
const R_LATEST_DEADLINE = 21;
/** Share of the time for which the loop is held, and the mean holding time per call. */
const R_UTILIZATION = 22;
const R_HOLDING_MS = 23;
/** Number of turns of the replica's ticker. */
const R_BEATS = 24;
/** Number of calls that run at once at the instance to which a relay leads. */
const R_PLACES = 25;
const WORDS_BYTES = 2 * TABLE_BYTES;
/** Bytes of a replica's table with the table of its models behind it, on cache lines of its own. */
const REPLICA_TABLE_BYTES = WORDS_BYTES + MODEL_TABLE_BYTES;

/** Units per ms of short times: 37 h pass before the word wraps. */
const FINE = 16;
/** Time, in these units, beyond which nothing is sent to a held loop: 1 ms. */
const HELD = FINE;
/** Shares are stored in thousandths, means in µs. */
const MILLI = 1_000;

// The word of a link's ledger that reservations are charged to.
const L_RESERVED = 0;

/** A time in ms as a word in finer units; never 0. */
function fine(at: number): number {
  return (at * FINE) | 0 || 1;
}

/** A deadline as a word; 0 only if no deadline exists. */
function deadlineWord(at: number): number {
  return at === 0 || at === Infinity ? 0 : at | 0 || 1;
}

/** Whether these places were the last ones of a draining replica. @param word the word before they were given back */
function isLast(word: number, places: number): boolean {
  return word >>> STATE_SHIFT === REPLICA_STATE.draining && (word & ONGOING_MASK) === places;
}

/** The ledger of the link, to which a reservation is charged. */
export interface Charged {
  readonly words: Int32Array;
}

/** One replica's place in the load table. */
export class ReplicaLoad {
  readonly shared: SharedArrayBuffer;
  /** The replica's multiplexed models. */
  readonly models: ModelTable;
  readonly #words: Int32Array;

  /** @param shared the table of another thread; a new one belongs to a replica that is open for one call */
  constructor(shared?: SharedArrayBuffer) {
    this.shared = shared ?? new SharedArrayBuffer(REPLICA_TABLE_BYTES);
    this.#words = new Int32Array(this.shared);
    this.models = new ModelTable(this.shared, WORDS_BYTES);
    if (shared === undefined) this.#words[R_OPEN] = 1;
  }

  get state(): ReplicaStateCode {
    return (Atomics.load(this.#words, R_WORD) >>> STATE_SHIFT) as ReplicaStateCode;
  }

  /** Number of calls that hold a place: reserved, in a message, or running. */
  get ongoing(): number {
    return (this.#words[R_WORD] as number) & ONGOING_MASK;
  }

  /**
   * Number of calls for which the replica is open now, whatever its limit: the begun calls, and some that may wait
   * there.
   */
  get open(): number {
    return Atomics.load(this.#words, R_OPEN);
  }

  /**
   * Publishes for how many calls the replica is open.
   * @param whileHeld for how many of them also while its loop is held
   * @returns whether more calls may come than before
   */
  setOpen(open: number, whileHeld: number): boolean {
    const before = this.#words[R_OPEN] as number;
    this.#words[R_OPEN_HELD] = whileHeld;
    if (before === open) return false;
    Atomics.store(this.#words, R_OPEN, open);
    return open > before;
  }

  /** Whether a further call would wait at the instance to which the relay leads. */
  get wouldWait(): boolean {
    return this.ongoing >= (this.#words[R_PLACES] as number);
  }

  /** Publishes how many calls run at once at the instance to which the relay leads. */
  set places(calls: number) {
    this.#words[R_PLACES] = calls;
  }

  /** Whether a call may come now. */
  get hasRoom(): boolean {
    const { ongoing } = this;
    return ongoing < this.limit && ongoing < this.open;
  }

  /** The replica's loop is held from now on. @param deadline of the call that holds it; 0 or infinite = none */
  hold(at: number, deadline: number): void {
    this.holdingDeadline = deadline;
    this.#words[R_HELD_SINCE] = fine(at);
  }

  /** The replica's loop turns. @param wasHeld callers may wait for the turn, and must see it before they are woken */
  letGo(wasHeld: boolean): void {
    if (wasHeld) Atomics.store(this.#words, R_HELD_SINCE, 0);
    else this.#words[R_HELD_SINCE] = 0;
  }

  /** Whether the calls that the replica begins have held its loop for longer than a moment. */
  isHeld(at: number): boolean {
    const since = this.#words[R_HELD_SINCE] as number;
    return since !== 0 && ((fine(at) - since) | 0) > HELD;
  }

  /**
   * Deadline of the call that holds the loop; where that is unknown, the latest deadline of all begun calls; 0 = none.
   */
  get holdingDeadline(): number {
    const isKnown = Atomics.load(this.#words, R_HELD_SINCE) !== 0;
    return Atomics.load(this.#words, isKnown ? R_OWNER_DEADLINE : R_LATEST_DEADLINE);
  }

  /** Records that another call holds the loop now. */
  set holdingDeadline(at: number) {
    this.#words[R_OWNER_DEADLINE] = deadlineWord(at);
  }

  set latestDeadline(at: number) {
    this.#words[R_LATEST_DEADLINE] = deadlineWord(at);
  }

  /** Mean time that a call holds the replica's loop, in ms; 0 = unknown. */
  get meanHoldingMs(): number {
    return Atomics.load(this.#words, R_HOLDING_MS) / MILLI;
  }

  set meanHoldingMs(ms: number) {
    this.#words[R_HOLDING_MS] = Math.min(2 ** 31 - 1, Math.round(ms * MILLI));
  }

  /** The share of the last second for which the replica's loop was busy, whatever kept it busy. */
  get utilization(): number {
    return Atomics.load(this.#words, R_UTILIZATION) / MILLI;
  }

  set utilization(share: number) {
    this.#words[R_UTILIZATION] = Math.round(share * MILLI);
  }

  get limit(): number {
    return Atomics.load(this.#words, R_LIMIT);
  }

  set limit(value: number) {
    Atomics.store(this.#words, R_LIMIT, value);
  }

  /** Time of the last tick of the replica's event loop, in ms of the instance's clock (wraps with 32 bits). */
  get lastTick(): number {
    return Atomics.load(this.#words, R_TICK);
  }

  tick(at: number): void {
    this.#words[R_TICK] = at | 0;
  }

  /** Turns of the ticker of the replica's event loop (wraps with 32 bits). */
  get beats(): number {
    return Atomics.load(this.#words, R_BEATS);
  }

  /** The ticker of the replica's event loop turned. */
  beat(at: number): void {
    (this.#words[R_BEATS] as number)++;
    this.tick(at);
  }

  get served(): number {
    return Atomics.load(this.#words, R_SERVED);
  }

  /**
   * Resolves when no call holds a place of a replica that drains, or the replica is dead. Does not keep the process alive.
   */
  async idle(): Promise<void> {
    for (;;) {
      const word = Atomics.load(this.#words, R_WORD);
      if ((word & ONGOING_MASK) === 0 || word >>> STATE_SHIFT === REPLICA_STATE.dead) return;
      // The thread that gives the last place back notifies the wait; a changed word is read again.
      await time.wait(this.#words, R_WORD, word);
    }
  }

  /** Changes the state unless the replica is dead already. Reservations see it with the next exchange. */
  setState(state: ReplicaStateCode): boolean {
    for (;;) {
      const word = Atomics.load(this.#words, R_WORD);
      if (word >>> STATE_SHIFT === REPLICA_STATE.dead) return false;
      const next = (state << STATE_SHIFT) | (word & ONGOING_MASK);
      if (Atomics.compareExchange(this.#words, R_WORD, word, next) !== word) continue;
      if (state === REPLICA_STATE.dead) Atomics.notify(this.#words, R_WORD);
      return true;
    }
  }

  /** Returns the answer that `reserve` would give. */
  room(at: number): Reservation {
    const word = Atomics.load(this.#words, R_WORD);
    if (word >>> STATE_SHIFT !== REPLICA_STATE.ready) return RESERVED.gone;
    return this.#isFull(word & ONGOING_MASK, at) ? RESERVED.full : RESERVED.ok;
  }

  /**
   * Takes a place for one call and charges the caller's ledger with it.
   * @param at the time, as exactly as the caller knows it
   */
  reserve(ledger: Charged, at: number): Reservation {
    const charged = ledger.words;
    for (;;) {
      const word = this.#words[R_WORD] as number;
      if (word >>> STATE_SHIFT !== REPLICA_STATE.ready) return RESERVED.gone;
      if (this.#isFull(word & ONGOING_MASK, at)) return RESERVED.full;
      if (Atomics.compareExchange(this.#words, R_WORD, word, word + 1) === word) {
        (charged[L_RESERVED] as number)++;
        return RESERVED.ok;
      }
    }
  }

  /** Takes a place for a call that waits at the replica for its loop, even if the replica is not open for it. */
  reserveToWait(ledger: Charged): Reservation {
    return this.#take(ledger, this.#words[R_LIMIT] as number);
  }

  /** Takes a place whatever the limit says: for broadcasts. */
  reserveBeyondLimit(ledger: Charged): Reservation {
    return this.#take(ledger, MAX_ONGOING_LIMIT);
  }

  #take(ledger: Charged, limit: number): Reservation {
    const charged = ledger.words;
    for (;;) {
      const word = this.#words[R_WORD] as number;
      if (word >>> STATE_SHIFT !== REPLICA_STATE.ready) return RESERVED.gone;
      if ((word & ONGOING_MASK) >= limit) return RESERVED.full;
      if (Atomics.compareExchange(this.#words, R_WORD, word, word + 1) === word) {
        (charged[L_RESERVED] as number)++;
        return RESERVED.ok;
      }
    }
  }

  /** Gives back a place whose call is not sent, and takes the charge off the caller's ledger. */
  unreserve(ledger: Charged): void {
    const charged = ledger.words;
    const word = Atomics.sub(this.#words, R_WORD, 1);
    (charged[L_RESERVED] as number)--;
    if (isLast(word, 1)) Atomics.notify(this.#words, R_WORD);
  }

  /** Gives places back. True if the replica is draining and these were its last places. */
  release(places: number): boolean {
    const word = Atomics.sub(this.#words, R_WORD, places);
    if (!isLast(word, places)) return false;
    Atomics.notify(this.#words, R_WORD);
    return true;
  }

  /** Counts calls that were served to their end. */
  countServed(calls: number): void {
    Atomics.add(this.#words, R_SERVED, calls);
  }

  #isFull(ongoing: number, at: number): boolean {
    const words = this.#words;
    if (ongoing >= (words[R_LIMIT] as number) || ongoing >= (words[R_OPEN] as number)) return true;
    return words[R_HELD_SINCE] !== 0 && this.isHeld(at) && ongoing >= (words[R_OPEN_HELD] as number);
  }
}
