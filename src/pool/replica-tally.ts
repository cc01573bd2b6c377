const T_OBSERVED = 0;
const T_CALLS = 1;
const T_FAILURES = 2;
const T_BUCKETS = 3;

/** Upper bound of the first latency bucket, in ms; each further one is a quarter longer. The last holds what is beyond 100 s. */
const FIRST_BOUND_MS = 0.1;
const GROWTH = Math.log(1.25);
const BUCKETS = 64;
/** Calls of a fresh replica that are slow because its code is not compiled yet. */
const WARM_UP_CALLS = 20;

/** How a replica's calls went so far. */
export interface Tally {
  readonly calls: number;
  readonly failures: number;
  /** Calls by duration (see `bucketMs`), counted only while somebody compares versions. */
  readonly latencies: readonly number[];
}

export const NO_CALLS: Tally = { calls: 0, failures: 0, latencies: [] };

/**
 * How the calls of one replica went, in shared memory: its thread alone writes, the host reads whenever it compares two
 * versions. Durations cost two looks at the clock per call, so they are taken only while they are asked for.
 */
export class ReplicaTally {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer((T_BUCKETS + BUCKETS) * 4)) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  get isObserved(): boolean {
    return this.#words[T_OBSERVED] !== 0;
  }

  set isObserved(value: boolean) {
    this.#words[T_OBSERVED] = Number(value);
  }

  /** @param durationMs undefined if it was not taken */
  record(isFailure: boolean, durationMs: number | undefined): void {
    const words = this.#words;
    const calls = ++(words[T_CALLS] as number);
    if (isFailure) (words[T_FAILURES] as number)++;
    else if (durationMs !== undefined && calls > WARM_UP_CALLS)
      (words[T_BUCKETS + bucketOf(durationMs)] as number)++;
  }

  read(): Tally {
    const [, calls = 0, failures = 0, ...latencies] = this.#words;
    return { calls, failures, latencies };
  }
}

function bucketOf(durationMs: number): number {
  if (durationMs <= FIRST_BOUND_MS) return 0;
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(durationMs / FIRST_BOUND_MS) / GROWTH));
}

/** Upper bound of a bucket, in ms. */
export function bucketMs(bucket: number): number {
  return FIRST_BOUND_MS * Math.exp(GROWTH * bucket);
}

export function addTallies(a: Tally, b: Tally): Tally {
  const length = Math.max(a.latencies.length, b.latencies.length);
  return {
    calls: a.calls + b.calls,
    failures: a.failures + b.failures,
    latencies: Array.from({ length }, (_, i) => (a.latencies[i] ?? 0) + (b.latencies[i] ?? 0)),
  };
}

/** What came since an earlier look at the same tally. */
export function tallySince(earlier: Tally, tally: Tally): Tally {
  return {
    calls: tally.calls - earlier.calls,
    failures: tally.failures - earlier.failures,
    latencies: tally.latencies.map((count, bucket) => count - (earlier.latencies[bucket] ?? 0)),
  };
}
