import { time } from '../time/clock.ts';
import { TABLE_BYTES } from './load-table.ts';
import { QUEUE_HEADS_BYTES, QueueHeads } from './queue-heads.ts';
import { SECOND_COUNTS_BYTES, SecondCounts } from './second-counts.ts';

// Words of a deployment's table. Two of them are arrays of four, one word per priority.
const D_QUEUED = 0;
const D_MAX_QUEUED = 1;
const D_FREED = 2;
const D_WAITERS = 3;
const D_BY_PRIORITY = 6;
const D_SEEN_WAITING = 10;
const D_WATCHED = 14;
const D_EMPTY_WATCHED = 15;
/**
 * Offset of the heads of the threads' queues; before them, on cache lines of their own, stand the counts for retries
 * and hedges.
 */
const HEADS_OFFSET = TABLE_BYTES + 3 * SECOND_COUNTS_BYTES;
const DEPLOYMENT_TABLE_BYTES = HEADS_OFFSET + QUEUE_HEADS_BYTES;

/** Time for which a thread's announcement of waiting calls is valid, in ms: the thread may block or die. */
const WAITING_LIFETIME_MS = 250;

// Words of a queue's ledger: four counters by priority, then their sum, the armed waits, and the slot of the head plus 1.
const PRIORITIES = 4;
const Q_QUEUED = 4;
const Q_ARMED = 5;
const Q_SLOT = 6;

/** The data about one deployment that all threads of an instance share. */
export class DeploymentLoad {
  readonly shared: SharedArrayBuffer;
  /** Calls of idempotent methods, retries and hedges, by the second. */
  readonly repeatable: SecondCounts;
  readonly retries: SecondCounts;
  readonly hedges: SecondCounts;
  /** The heads of the threads' queues; each thread that calls has its own view. */
  readonly heads: QueueHeads;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(DEPLOYMENT_TABLE_BYTES)) {
    this.shared = shared;
    this.#words = new Int32Array(shared, 0, TABLE_BYTES / 4);
    this.repeatable = new SecondCounts(shared, TABLE_BYTES);
    this.retries = new SecondCounts(shared, TABLE_BYTES + SECOND_COUNTS_BYTES);
    this.hedges = new SecondCounts(shared, TABLE_BYTES + 2 * SECOND_COUNTS_BYTES);
    this.heads = new QueueHeads(shared, HEADS_OFFSET);
  }

  /** Number of calls that wait, over all threads of the instance. */
  get queued(): number {
    return this.#words[D_QUEUED] as number;
  }

  /** Number of calls that wait for any place; those that were set aside would not take the places that are free. */
  get competing(): number {
    let calls = 0;
    for (let priority = 0; priority < PRIORITIES; priority++)
      calls += this.#words[D_BY_PRIORITY + priority] as number;
    return calls;
  }

  get maxQueued(): number {
    return Atomics.load(this.#words, D_MAX_QUEUED);
  }

  /** Maximum number of waiting calls; −1 = no cap. */
  set maxQueued(value: number) {
    Atomics.store(this.#words, D_MAX_QUEUED, value);
  }

  /**
   * Takes a place in the queue and charges it to the thread's ledger; false when the queue is full.
   * @param accepted the call was accepted before (a retry): the cap does not apply
   * @param places free places at the replicas: this many more calls may wait, since they wait for a loop and not for a
   * place
   */
  enqueue(priority: number, ledger: QueueLedger, accepted: boolean, places: () => number): boolean {
    const charged = ledger.words;
    const limit = accepted ? -1 : this.maxQueued;
    for (;;) {
      const queued = Atomics.load(this.#words, D_QUEUED);
      if (limit !== -1 && queued >= limit && queued >= limit + places()) return false;
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

  /** Sets aside a waiting call that would not take the free places, so that less important calls may. */
  setAside(priority: number, ledger: QueueLedger): void {
    const charged = ledger.words;
    Atomics.sub(this.#words, D_BY_PRIORITY + priority, 1);
    (charged[priority] as number)--;
  }

  /** A call that was set aside competes again. */
  putBack(priority: number, ledger: QueueLedger): void {
    const charged = ledger.words;
    Atomics.add(this.#words, D_BY_PRIORITY + priority, 1);
    (charged[priority] as number)++;
  }

  dequeue(priority: number, ledger: QueueLedger): void {
    const charged = ledger.words;
    const queued = Atomics.sub(this.#words, D_QUEUED, 1);
    (charged[Q_QUEUED] as number)--;
    Atomics.sub(this.#words, D_BY_PRIORITY + priority, 1);
    (charged[priority] as number)--;
    if (queued === 1 && Atomics.load(this.#words, D_EMPTY_WATCHED) === 1) this.endEmptiedWait();
  }

  /** Resolves when no call waits, at once if none does, or at `endEmptiedWait()`. Does not keep the process alive. */
  waitEmptied(): Promise<unknown> {
    // The word is read before the queue: a call that leaves in between is either seen or wakes the wait.
    Atomics.store(this.#words, D_EMPTY_WATCHED, 1);
    if (Atomics.load(this.#words, D_QUEUED) === 0) return Promise.resolve();
    return time.wait(this.#words, D_EMPTY_WATCHED, 1);
  }

  /** Ends `waitEmptied`. */
  endEmptiedWait(): void {
    if (Atomics.exchange(this.#words, D_EMPTY_WATCHED, 0) === 1) Atomics.notify(this.#words, D_EMPTY_WATCHED);
  }

  /**
   * Resolves when a call is queued, at once if one waits already: how the host learns of the first call to a deployment
   * without replicas, whichever thread makes it. Does not keep the process alive.
   */
  waitQueued(): Promise<unknown> {
    // The word is read before the queue: a call that comes in between is either seen or wakes the wait.
    Atomics.store(this.#words, D_WATCHED, 1);
    if (this.queued > 0) return Promise.resolve();
    return time.wait(this.#words, D_WATCHED, 1);
  }

  /** Ends `waitQueued`. */
  wakeWatcher(): void {
    if (Atomics.exchange(this.#words, D_WATCHED, 0) === 1) Atomics.notify(this.#words, D_WATCHED);
  }

  /** Announces that a call of this priority waits in a thread; repeated while the call waits, since the word fades. */
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

  /** A replica freed places: wakes every waiting thread (waking one loses the wake-up when that thread is busy). */
  announceFreed(): void {
    if (this.countFreed()) Atomics.notify(this.#words, D_FREED);
  }

  /**
   * A replica freed places and will announce them: until then no thread has looked at them.
   * @returns whether any thread waits
   */
  countFreed(): boolean {
    if (Atomics.load(this.#words, D_WAITERS) === 0) return false;
    Atomics.add(this.#words, D_FREED, 1);
    return true;
  }

  /** The value to hand to `waitFreed`; read it before the last look at the loads. */
  get freedSequence(): number {
    return Atomics.load(this.#words, D_FREED);
  }

  /** Resolves at the next freed place; at once if a place was freed since `seen`. Does not keep the process alive. */
  waitFreed(seen: number): Promise<unknown> {
    return time.wait(this.#words, D_FREED, seen);
  }

  /** Ends the waits of `waitFreed` in all threads, which look and wait again. */
  endWaits(): void {
    Atomics.notify(this.#words, D_FREED);
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

  /**
   * Lets the thread of the ledger take part in the order of the heads. A thread that is killed in between leaves an
   * empty slot.
   */
  join(ledger: QueueLedger): void {
    const charged = ledger.words;
    charged[Q_SLOT] = this.heads.take() + 1;
  }

  /** Ends the participation of the ledger's thread. */
  leave(ledger: QueueLedger): void {
    const slot = Atomics.exchange(ledger.words, Q_SLOT, 0) - 1;
    if (slot !== -1) this.heads.giveBack(slot);
  }

  /** Removes the queue entries of a thread that is gone. */
  giveBack(ledger: QueueLedger): void {
    for (let priority = 0; priority < PRIORITIES; priority++) {
      Atomics.sub(this.#words, D_BY_PRIORITY + priority, Atomics.exchange(ledger.words, priority, 0));
    }
    Atomics.sub(this.#words, D_QUEUED, Atomics.exchange(ledger.words, Q_QUEUED, 0));
    Atomics.sub(this.#words, D_WAITERS, Atomics.exchange(ledger.words, Q_ARMED, 0));
    if (this.queued === 0) this.endEmptiedWait();
    this.leave(ledger);
  }
}

/** One caller thread's share of a deployment's queue, which the host gives back when the thread dies. */
export class QueueLedger {
  readonly shared: SharedArrayBuffer;
  /** @internal */ readonly words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(TABLE_BYTES)) {
    this.shared = shared;
    this.words = new Int32Array(shared);
  }

  /** Number of waiting calls of this thread. */
  get queued(): number {
    return this.words[Q_QUEUED] as number;
  }

  /** Number of waiting calls of this thread with this priority. */
  queuedOf(priority: number): number {
    return this.words[priority] as number;
  }

  /** Called by the host once the thread is gone. */
  giveBack(load: DeploymentLoad): void {
    load.giveBack(this);
  }
}
