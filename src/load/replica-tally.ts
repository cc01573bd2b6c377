import { EJECTION_RECORD_BYTES, EjectionRecord } from './ejection-record.ts';

const T_OBSERVED = 0;
const T_CALLS = 1;
const T_FAILURES = 2;
const T_BUCKETS = 3;

/**
 * Upper bound of the first latency bucket, in ms; each further one is a quarter longer. The last bucket holds durations
 * beyond 100 s.
 */
const FIRST_BOUND_MS = 0.1;
const GROWTH = Math.log(1.25);
const BUCKETS = 64;
const COUNT_BYTES = 8 * (T_BUCKETS + BUCKETS);
/** Calls of a fresh replica that are slow because its code is not compiled yet. */
const WARM_UP_CALLS = 20;

/** Outcomes of a replica's calls so far. */
export interface Tally {
  readonly calls: number;
  readonly failures: number;
  /** Calls by duration (see `bucketMs`), counted only while versions are compared. */
  readonly latencies: readonly number[];
}

export const NO_CALLS: Tally = { calls: 0, failures: 0, latencies: [] };

/** Takes the outcomes of a replica's calls. */
export interface CallTally {
  /** Whether the durations of calls are wanted. */
  readonly isObserved: boolean;
  /** @param durationMs duration of the call; undefined if not taken */
  record(isFailure: boolean, durationMs: number | undefined): void;
}

/**
 * Outcomes of one replica's calls, in shared memory: only its thread writes, the host and all callers read. Durations
 * cost two clock readings per call, so they are taken only on request.
 *
 * The counts are doubles, which never wrap: a replica serves 2³¹ calls in 30 h at 20,000 a second. An aligned double is
 * written at once on every 64-bit machine.
 */
export class ReplicaTally implements CallTally {
  readonly shared: SharedArrayBuffer;
  /** Ejection state of the replica, which callers derive from these counts and write. */
  readonly ejection: EjectionRecord;
  readonly #counts: Float64Array;

  constructor(shared: SharedArrayBuffer = new SharedArrayBuffer(COUNT_BYTES + EJECTION_RECORD_BYTES)) {
    this.shared = shared;
    this.#counts = new Float64Array(shared, 0, T_BUCKETS + BUCKETS);
    this.ejection = new EjectionRecord(shared, COUNT_BYTES);
  }

  get isObserved(): boolean {
    return this.#counts[T_OBSERVED] !== 0;
  }

  set isObserved(value: boolean) {
    this.#counts[T_OBSERVED] = Number(value);
  }

  /** Number of ended calls, with any outcome. */
  get calls(): number {
    return this.#counts[T_CALLS] as number;
  }

  /** Number of calls that failed through no fault of their caller. */
  get failures(): number {
    return this.#counts[T_FAILURES] as number;
  }

  /** @param durationMs duration of the call; undefined if not taken */
  record(isFailure: boolean, durationMs: number | undefined): void {
    const counts = this.#counts;
    const calls = ++(counts[T_CALLS] as number);
    if (isFailure) (counts[T_FAILURES] as number)++;
    else if (durationMs !== undefined && calls > WARM_UP_CALLS)
      (counts[T_BUCKETS + bucketOf(durationMs)] as number)++;
  }

  read(): Tally {
    const [, calls = 0, failures = 0, ...latencies] = this.#counts;
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

/** The difference to an earlier reading of the same tally. */
export function tallySince(earlier: Tally, tally: Tally): Tally {
  return {
    calls: tally.calls - earlier.calls,
    failures: tally.failures - earlier.failures,
    latencies: tally.latencies.map((count, bucket) => count - (earlier.latencies[bucket] ?? 0)),
  };
}
