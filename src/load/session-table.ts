/** Number of buckets over which sessions are hashed; the sessions of one bucket stay together. */
export const SESSION_BUCKETS = 1_024;
/** Time for which work is remembered, in ms. */
const PERIOD_MS = 10_000;

// Words of the table: the head, then three arrays with a word for each bucket.
const S_PERIOD = 0;
const S_BALANCED_AT = 1;
const S_CALLS = 2;
const S_PLACES = 16;
const S_WORK = S_PLACES + SESSION_BUCKETS;
const WORDS = S_WORK + 2 * SESSION_BUCKETS;

/**
 * The places of a deployment's sessions and their work of the last 10 s, in memory that all caller threads share, so
 * that a session has the same replica whichever thread calls. The table decides nothing (see
 * `handle/endpoints/session-affinity.ts`).
 *
 * Work is counted in periods of 10 s. The work of the last 10 s is the work of this period plus the remaining share of
 * the previous period.
 */
export class SessionTable {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  #period: number;
  /** Share of the previous period that still counts. */
  #left = 0;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(4 * WORDS)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#period = Atomics.load(this.#words, S_PERIOD);
  }

  /** Number of the replica that the bucket was moved to; 0 = the bucket stays where its hash puts it. */
  place(bucket: number): number {
    return Atomics.load(this.#words, S_PLACES + bucket);
  }

  /** @param place a number of 32 bits, not 0 */
  move(bucket: number, place: number): void {
    Atomics.store(this.#words, S_PLACES + bucket, place);
  }

  /** Adds the work of a call of a session in this bucket. */
  add(bucket: number, work: number): void {
    const parity = this.#period & 1;
    Atomics.add(this.#words, S_CALLS + parity, 1);
    Atomics.add(this.#words, S_WORK + parity * SESSION_BUCKETS + bucket, work);
  }

  /** Updates the table to the present. */
  advance(at: number): void {
    const period = Math.floor(at / PERIOD_MS) | 0;
    this.#left = 1 - ((at / PERIOD_MS) % 1);
    this.#period = period;
    const before = Atomics.load(this.#words, S_PERIOD);
    if (((period - before) | 0) <= 0) return;
    // The first thread clears the words of the new period and outdated counts.
    if (Atomics.compareExchange(this.#words, S_PERIOD, before, period) !== before) return;
    this.#empty(period & 1);
    if (((period - before) | 0) > 1) this.#empty((period & 1) ^ 1);
  }

  /** Whether this thread may balance now: one thread may in each interval. */
  claimBalancing(at: number, everyMs: number): boolean {
    const before = Atomics.load(this.#words, S_BALANCED_AT);
    if (((at - before) | 0) < everyMs && before !== 0) return false;
    return Atomics.compareExchange(this.#words, S_BALANCED_AT, before, at | 0 || 1) === before;
  }

  /** Calls of the last 10 s. */
  get calls(): number {
    return this.#recent(S_CALLS, 1);
  }

  /** Work of the last 10 s. */
  work(bucket: number): number {
    return this.#recent(S_WORK + bucket, SESSION_BUCKETS);
  }

  #recent(word: number, stride: number): number {
    const parity = this.#period & 1;
    const now = Atomics.load(this.#words, word + parity * stride) >>> 0;
    const before = Atomics.load(this.#words, word + (parity ^ 1) * stride) >>> 0;
    return now + before * this.#left;
  }

  #empty(parity: number): void {
    Atomics.store(this.#words, S_CALLS + parity, 0);
    const first = S_WORK + parity * SESSION_BUCKETS;
    for (let word = first; word < first + SESSION_BUCKETS; word++) Atomics.store(this.#words, word, 0);
  }
}
