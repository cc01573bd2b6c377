import { MODEL_TABLE_BYTES, ModelTable } from './model-table.ts';

/**
 * Exact loads in shared memory. Every caller thread reads them and reserves a place with one compare-and-exchange
 * (measured: reserve and release 70–100 ns), so `maxOngoingRequests` and `maxQueuedRequests` hold over all threads
 * without a message, a probe or a cache that could be stale.
 *
 * Four small tables, those of a deployment in `deployment-load.ts`, each in a `SharedArrayBuffer` of its own; nothing is
 * ever reused, so no epochs are needed (docs/decisions/004-load-table.md):
 *
 * | table | one per | written by |
 * | --- | --- | --- |
 * | `ReplicaLoad` | replica | callers reserve, the replica releases, the host sets state and limit |
 * | `DeploymentLoad` | deployment and instance | callers queue, replicas announce freed places |
 * | `LinkLedger` | channel | the caller counts what it reserved, the replica what it admitted |
 * | `QueueLedger` | caller thread and deployment | the caller; the host gives it back when the caller dies |
 *
 * A caller thread may be terminated at any time, and what it held must be known then. V8 ends a thread at calls and loops,
 * and `Atomics` functions are calls: of kills that came while a thread did nothing but pairs of them, every second
 * one landed between the two. So each change of a shared word is booked by a plain store to the thread's own ledger
 * right behind it, where no call and no loop stands between (0 of 4,800 kills).
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

// Words of a replica's table.
const R_WORD = 0;
const R_LIMIT = 1;
const R_TICK = 2;
const R_SERVED = 3;
/** … and behind them, on cache lines of its own, the table of its models. */
const REPLICA_TABLE_BYTES = TABLE_BYTES + MODEL_TABLE_BYTES;

// Words of a link's ledger.
const L_RESERVED = 0;
const L_ADMITTED = 1;
const L_SEALED = 2;

/** One replica's place in the load table. */
export class ReplicaLoad {
  readonly shared: SharedArrayBuffer;
  /** Its multiplexed models. */
  readonly models: ModelTable;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(REPLICA_TABLE_BYTES)) {
    this.shared = shared;
    this.models = new ModelTable(shared, TABLE_BYTES);
    this.#words = new Int32Array(shared);
  }

  get state(): ReplicaStateCode {
    return (Atomics.load(this.#words, R_WORD) >>> STATE_SHIFT) as ReplicaStateCode;
  }

  /** Calls that hold a place: reserved, in a message, or running. */
  get ongoing(): number {
    return Atomics.load(this.#words, R_WORD) & ONGOING_MASK;
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
    Atomics.store(this.#words, R_TICK, at | 0);
  }

  get served(): number {
    return Atomics.load(this.#words, R_SERVED);
  }

  /** Changes the state unless the replica is dead already. Reservations see it with the next exchange. */
  setState(state: ReplicaStateCode): boolean {
    for (;;) {
      const word = Atomics.load(this.#words, R_WORD);
      if (word >>> STATE_SHIFT === REPLICA_STATE.dead) return false;
      const next = (state << STATE_SHIFT) | (word & ONGOING_MASK);
      if (Atomics.compareExchange(this.#words, R_WORD, word, next) === word) return true;
    }
  }

  /** What `reserve` would answer now. */
  get room(): Reservation {
    const word = Atomics.load(this.#words, R_WORD);
    if (word >>> STATE_SHIFT !== REPLICA_STATE.ready) return RESERVED.gone;
    return (word & ONGOING_MASK) >= Atomics.load(this.#words, R_LIMIT) ? RESERVED.full : RESERVED.ok;
  }

  /** Takes a place for one call and charges the caller's ledger with it. */
  reserve(ledger: LinkLedger): Reservation {
    const charged = ledger.words;
    for (;;) {
      const word = Atomics.load(this.#words, R_WORD);
      if (word >>> STATE_SHIFT !== REPLICA_STATE.ready) return RESERVED.gone;
      if ((word & ONGOING_MASK) >= Atomics.load(this.#words, R_LIMIT)) return RESERVED.full;
      if (Atomics.compareExchange(this.#words, R_WORD, word, word + 1) === word) {
        (charged[L_RESERVED] as number)++;
        return RESERVED.ok;
      }
    }
  }

  /** Takes a place whatever the limit says: for broadcasts. */
  reserveBeyondLimit(ledger: LinkLedger): Reservation {
    const charged = ledger.words;
    for (;;) {
      const word = Atomics.load(this.#words, R_WORD);
      if (word >>> STATE_SHIFT !== REPLICA_STATE.ready) return RESERVED.gone;
      if (Atomics.compareExchange(this.#words, R_WORD, word, word + 1) === word) {
        (charged[L_RESERVED] as number)++;
        return RESERVED.ok;
      }
    }
  }

  /** Gives back a place whose call is not sent, and takes the charge off the caller's ledger. */
  unreserve(ledger: LinkLedger): void {
    const charged = ledger.words;
    Atomics.sub(this.#words, R_WORD, 1);
    (charged[L_RESERVED] as number)--;
  }

  /** Gives places back. True if the replica is draining and these were the last. */
  release(places: number): boolean {
    const word = Atomics.sub(this.#words, R_WORD, places);
    return word >>> STATE_SHIFT === REPLICA_STATE.draining && (word & ONGOING_MASK) === places;
  }

  /** Counts a call that was served to its end. */
  countServed(): void {
    Atomics.add(this.#words, R_SERVED, 1);
  }
}

/**
 * What one caller reserved on one replica and what the replica admitted of it. Calls are admitted in the order in which
 * they were sent, so after a death the difference tells both sides the truth: the replica gives back the places of a
 * caller that died before its frames were flushed, and a caller knows which of its calls never started.
 */
export class LinkLedger {
  readonly shared: SharedArrayBuffer;
  /** @internal */ readonly words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(TABLE_BYTES)) {
    this.shared = shared;
    this.words = new Int32Array(shared);
  }

  /**
   * The replica takes a call over: from here on it is the replica that releases the place. False if the caller has closed
   * the link: it may have told the call that it never started, so it must not.
   */
  admit(): boolean {
    Atomics.add(this.words, L_ADMITTED, 1);
    if (Atomics.load(this.words, L_SEALED) === 0) return true;
    Atomics.sub(this.words, L_ADMITTED, 1);
    return false;
  }

  /** The caller closes the link. What `wasAdmitted` denies from now on never starts. */
  seal(): void {
    Atomics.store(this.words, L_SEALED, 1);
  }

  /** Whether the `sequence`-th call sent over the link (counted from 1) was started. */
  wasAdmitted(sequence: number): boolean {
    return ((sequence - Atomics.load(this.words, L_ADMITTED)) | 0) <= 0;
  }

  /** Places reserved whose calls the replica has not admitted. */
  get outstanding(): number {
    return (Atomics.load(this.words, L_RESERVED) - Atomics.load(this.words, L_ADMITTED)) | 0;
  }
}
