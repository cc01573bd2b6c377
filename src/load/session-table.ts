/** Sessions share this many buckets by their hashes; those of one bucket stay together. */
export const SESSION_BUCKETS = 1_024;
/** How far back work is remembered, in ms. */
const PERIOD_MS = 10_000;

// Words of the table: the head, then three arrays with a word for each bucket.
const S_PERIOD = 0;
const S_BALANCED_AT = 1;
const S_CALLS = 2;
const S_PLACES = 16;
const S_WORK = S_PLACES + SESSION_BUCKETS;
const WORDS = S_WORK + 2 * SESSION_BUCKETS;

/**
 * Where the sessions of a deployment are, and how much work they made in the last 10 s: in memory that all caller threads
 * share, so that a session has the same replica whichever thread calls. It decides nothing (see `handle/endpoints/session-affinity.ts`).
 *
 * Work is counted in periods of 10 s. What was done in the last 10 s is that of this period, and of the one before as much
 * as is not over.
 */
export class SessionTable {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  #period: number;
  /** Share of the period before that still counts. */
  #left = 0;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(4 * WORDS)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
    this.#period = Atomics.load(this.#words, S_PERIOD);
  }

  /** What the replica is called that the bucket was moved to; 0 = it is where its hash says. */
  place(bucket: number): number {
    return Atomics.load(this.#words, S_PLACES + bucket);
  }

  /** @param place a number of 32 bits, not 0 */
  move(bucket: number, place: number): void {
    Atomics.store(this.#words, S_PLACES + bucket, place);
  }

  /** A call of a session in this bucket did some work. */
  add(bucket: number, work: number): void {
    const parity = this.#period & 1;
    Atomics.add(this.#words, S_CALLS + parity, 1);
    Atomics.add(this.#words, S_WORK + parity * SESSION_BUCKETS + bucket, work);
  }

  /** Brings the table to the present. */
  advance(at: number): void {
    const period = Math.floor(at / PERIOD_MS) | 0;
    this.#left = 1 - ((at / PERIOD_MS) % 1);
    this.#period = period;
    const before = Atomics.load(this.#words, S_PERIOD);
    if (((period - before) | 0) <= 0) return;
    // The thread that comes first empties what the new period counts in, and what is too old.
    if (Atomics.compareExchange(this.#words, S_PERIOD, before, period) !== before) return;
    this.#empty(period & 1);
    if (((period - before) | 0) > 1) this.#empty((period & 1) ^ 1);
  }

  /** Whether this thread may balance now; every so many ms one may. */
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
