import { SECOND_COUNTS_BYTES, SecondCounts } from './second-counts.ts';

/**
 * Exact loads in shared memory. Every caller thread reads them and reserves a place with one compare-and-exchange
 * (measured: reserve and release 70–100 ns), so `maxOngoingRequests` and `maxQueuedRequests` hold over all threads
 * without a message, a probe or a cache that could be stale.
 *
 * Four small tables, each in a `SharedArrayBuffer` of its own; nothing is ever reused, so no epochs are needed
 * (docs/decisions/004-load-table.md):
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
const TABLE_BYTES = 64;

// Words of a replica's table.
const R_WORD = 0;
const R_LIMIT = 1;
const R_TICK = 2;
const R_SERVED = 3;
const R_MODELS = 4;
/** … and from here on their hashes. */
const R_FIRST_MODEL = 16;
/** Models of a replica that callers know of: the last ones used. */
export const MAX_KNOWN_MODELS = 48;
const REPLICA_TABLE_BYTES = 4 * (R_FIRST_MODEL + MAX_KNOWN_MODELS);

// Words of a deployment's table. The last two are arrays of four, one word per priority.
const D_QUEUED = 0;
const D_MAX_QUEUED = 1;
const D_FREED = 2;
const D_WAITERS = 3;
const D_BARRIER = 4;
const D_BARRIER_AT = 5;
const D_BY_PRIORITY = 6;
const D_SEEN_WAITING = 10;
const D_WATCHED = 14;
/** … behind them, on cache lines of their own, what may be sent twice. */
const DEPLOYMENT_TABLE_BYTES = TABLE_BYTES + 3 * SECOND_COUNTS_BYTES;

/** The barrier's word packs `priority << 24 | caller + 1`. */
const BARRIER_SHIFT = 24;
const BARRIER_OWNER = (1 << BARRIER_SHIFT) - 1;

/** What a thread said about its waiters counts for so long: the thread may have blocked or died since. */
const WAITING_LIFETIME_MS = 250;

// Words of a link's ledger.
const L_RESERVED = 0;
const L_ADMITTED = 1;
const L_SEALED = 2;

// Words of a queue's ledger: four counters by priority, then their sum and the armed waits.
const PRIORITIES = 4;
const Q_QUEUED = 4;
const Q_ARMED = 5;

/** One replica's place in the load table. */
export class ReplicaLoad {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(REPLICA_TABLE_BYTES)) {
    this.shared = shared;
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

  /** Multiplexed models that the replica holds or loads. */
  get models(): number {
    return Atomics.load(this.#words, R_MODELS);
  }

  /** Whether a model is among them, by its hash. May be wrong for a moment: it is a preference, not a promise. */
  holdsModel(hash: number): boolean {
    const count = Math.min(this.models, MAX_KNOWN_MODELS);
    for (let index = 0; index < count; index++) {
      if (Atomics.load(this.#words, R_FIRST_MODEL + index) === (hash | 0)) return true;
    }
    return false;
  }

  /** @param hashes of the models' ids, the least recently used first */
  advertiseModels(hashes: readonly number[]): void {
    for (const [index, hash] of hashes.slice(-MAX_KNOWN_MODELS).entries()) {
      Atomics.store(this.#words, R_FIRST_MODEL + index, hash | 0);
    }
    Atomics.store(this.#words, R_MODELS, hashes.length);
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

/** What all threads of an instance share about one deployment. */
export class DeploymentLoad {
  readonly shared: SharedArrayBuffer;
  /** Calls of idempotent methods, retries and hedges, by the second. */
  readonly repeatable: SecondCounts;
  readonly retries: SecondCounts;
  readonly hedges: SecondCounts;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(DEPLOYMENT_TABLE_BYTES)) {
    this.shared = shared;
    this.#words = new Int32Array(shared, 0, TABLE_BYTES / 4);
    this.repeatable = new SecondCounts(shared, TABLE_BYTES);
    this.retries = new SecondCounts(shared, TABLE_BYTES + SECOND_COUNTS_BYTES);
    this.hedges = new SecondCounts(shared, TABLE_BYTES + 2 * SECOND_COUNTS_BYTES);
  }

  /** Calls that wait, over all threads of the instance. */
  get queued(): number {
    return Atomics.load(this.#words, D_QUEUED);
  }

  get maxQueued(): number {
    return Atomics.load(this.#words, D_MAX_QUEUED);
  }

  /** −1 = no cap. */
  set maxQueued(value: number) {
    Atomics.store(this.#words, D_MAX_QUEUED, value);
  }

  /**
   * Takes a place in the queue and charges the thread's ledger with it; false when the queue is full.
   * @param accepted the call was accepted before (a retry): the cap does not apply
   */
  enqueue(priority: number, ledger: QueueLedger, accepted: boolean): boolean {
    const charged = ledger.words;
    const limit = accepted ? -1 : this.maxQueued;
    for (;;) {
      const queued = Atomics.load(this.#words, D_QUEUED);
      if (limit !== -1 && queued >= limit) return false;
      if (Atomics.compareExchange(this.#words, D_QUEUED, queued, queued + 1) === queued) {
        (charged[Q_QUEUED] as number)++;
        Atomics.add(this.#words, D_BY_PRIORITY + priority, 1);
        (charged[priority] as number)++;
        if (Atomics.load(this.#words, D_WATCHED) === 1) this.wakeWatcher();
        return true;
      }
    }
  }

  /** One waiting call gives its place in the queue to another one. */
  exchange(leaving: number, entering: number, ledger: QueueLedger): void {
    const charged = ledger.words;
    Atomics.sub(this.#words, D_BY_PRIORITY + leaving, 1);
    (charged[leaving] as number)--;
    Atomics.add(this.#words, D_BY_PRIORITY + entering, 1);
    (charged[entering] as number)++;
  }

  dequeue(priority: number, ledger: QueueLedger): void {
    const charged = ledger.words;
    Atomics.sub(this.#words, D_QUEUED, 1);
    (charged[Q_QUEUED] as number)--;
    Atomics.sub(this.#words, D_BY_PRIORITY + priority, 1);
    (charged[priority] as number)--;
  }

  /**
   * Resolves when a call is queued, at once if one waits already: how the host learns of the first call to a deployment
   * without replicas, whichever thread makes it. Does not keep the process alive.
   */
  waitQueued(): Promise<unknown> {
    // Before the look at the queue: a call that comes in between is either seen or wakes.
    Atomics.store(this.#words, D_WATCHED, 1);
    if (this.queued > 0) return Promise.resolve();
    const wait = Atomics.waitAsync(this.#words, D_WATCHED, 1);
    return wait.async ? wait.value : Promise.resolve(wait.value);
  }

  /** Ends `waitQueued`. */
  wakeWatcher(): void {
    if (Atomics.exchange(this.#words, D_WATCHED, 0) === 1) Atomics.notify(this.#words, D_WATCHED);
  }

  /** A thread has a call of this priority waiting. Repeated while it waits, since the word fades. */
  announceWaiting(priority: number, at: number): void {
    Atomics.store(this.#words, D_SEEN_WAITING + priority, at | 0);
  }

  /** Whether a call of a higher priority (a lower number) than `priority` waits in any thread that is alive. */
  hasWaitingAbove(priority: number, at: number): boolean {
    for (let higher = 0; higher < priority; higher++) {
      if (Atomics.load(this.#words, D_BY_PRIORITY + higher) === 0) continue;
      const age = ((at | 0) - Atomics.load(this.#words, D_SEEN_WAITING + higher)) | 0;
      if (age < WAITING_LIFETIME_MS) return true;
    }
    return false;
  }

  /**
   * A thread whose oldest waiter is too old asks the others not to barge in, with calls that are no more important. The
   * barrier fades by itself, so that a thread that dies or blocks behind it holds nobody up.
   */
  raiseBarrier(caller: number, priority: number, at: number): void {
    Atomics.store(this.#words, D_BARRIER_AT, at | 0);
    Atomics.store(this.#words, D_BARRIER, (priority << BARRIER_SHIFT) | (caller + 1));
  }

  lowerBarrier(caller: number): void {
    const word = Atomics.load(this.#words, D_BARRIER);
    if ((word & BARRIER_OWNER) === caller + 1) Atomics.compareExchange(this.#words, D_BARRIER, word, 0);
  }

  /** Whether another thread than `caller` has a barrier up against calls of this priority. */
  isBarred(caller: number, priority: number, at: number): boolean {
    const word = Atomics.load(this.#words, D_BARRIER);
    const owner = word & BARRIER_OWNER;
    if (owner === 0 || owner === caller + 1 || word >>> BARRIER_SHIFT > priority) return false;
    const age = ((at | 0) - Atomics.load(this.#words, D_BARRIER_AT)) | 0;
    return age < WAITING_LIFETIME_MS;
  }

  /** A replica freed places: wakes every waiting thread (waking one loses the wake-up when that thread is busy). */
  announceFreed(): void {
    if (Atomics.load(this.#words, D_WAITERS) === 0) return;
    Atomics.add(this.#words, D_FREED, 1);
    Atomics.notify(this.#words, D_FREED);
  }

  /** The value to hand to `waitFreed`; read it before the last look at the loads. */
  get freedSequence(): number {
    return Atomics.load(this.#words, D_FREED);
  }

  /** Resolves at the next freed place; at once if there was one since `seen`. Does not keep the process alive. */
  waitFreed(seen: number): Promise<unknown> {
    const wait = Atomics.waitAsync(this.#words, D_FREED, seen);
    return wait.async ? wait.value : Promise.resolve(wait.value);
  }

  arm(ledger: QueueLedger): void {
    const charged = ledger.words;
    Atomics.add(this.#words, D_WAITERS, 1);
    (charged[Q_ARMED] as number)++;
  }

  disarm(ledger: QueueLedger): void {
    const charged = ledger.words;
    Atomics.sub(this.#words, D_WAITERS, 1);
    (charged[Q_ARMED] as number)--;
  }

  /** Takes out what a thread held that is gone. */
  giveBack(ledger: QueueLedger): void {
    for (let priority = 0; priority < PRIORITIES; priority++) {
      Atomics.sub(this.#words, D_BY_PRIORITY + priority, Atomics.exchange(ledger.words, priority, 0));
    }
    Atomics.sub(this.#words, D_QUEUED, Atomics.exchange(ledger.words, Q_QUEUED, 0));
    Atomics.sub(this.#words, D_WAITERS, Atomics.exchange(ledger.words, Q_ARMED, 0));
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

/** What one caller thread holds of a deployment's queue; the host gives it back when the thread dies. */
export class QueueLedger {
  readonly shared: SharedArrayBuffer;
  /** @internal */ readonly words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(TABLE_BYTES)) {
    this.shared = shared;
    this.words = new Int32Array(shared);
  }

  /** Called by the host once the thread is gone. */
  giveBack(load: DeploymentLoad): void {
    load.giveBack(this);
  }
}
