import { addBuckets, type Buckets, countInto, emptyBuckets } from '../../load/histogram.ts';

/** Outcomes of a call; the `outcome` label of the metrics. */
export const OUTCOMES = ['ok', 'error', 'timeout', 'cancelled', 'rejected', 'died'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Upper bounds of the duration histogram, in ms; an infinite one follows. */
export const DURATION_BOUNDS_MS: readonly number[] = [
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000,
];

const OTHER_METHOD = 'other';

/** A histogram of durations. */
export interface Durations {
  count: number;
  sumMs: number;
  readonly buckets: Buckets;
}

/** Calls of one method with one outcome. */
export interface CallSeries {
  readonly method: string;
  readonly outcome: Outcome;
  count: number;
  sumMs: number;
  readonly buckets: Buckets;
  /** Times in the queue of the calls that waited there; undefined if none did. */
  waits: Durations | undefined;
}

export function noDurations(bounds: readonly number[] = DURATION_BOUNDS_MS): Durations {
  return { count: 0, sumMs: 0, buckets: emptyBuckets(bounds) };
}

export function addDurations(to: Durations, { count, sumMs, buckets }: Durations): void {
  to.count += count;
  to.sumMs += sumMs;
  addBuckets(to.buckets, buckets);
}

export function countDuration(
  to: Durations,
  ms: number,
  bounds: readonly number[] = DURATION_BOUNDS_MS,
): void {
  to.count++;
  to.sumMs += ms;
  countInto(to.buckets, bounds, ms);
}

/**
 * Counts the calls that a thread made to one deployment. Plain additions on the call path; a replica's thread ships its
 * new counts to the host, which adds them to its own.
 */
export class CallStats {
  readonly #series = new Map<string, Array<CallSeries | undefined>>();
  readonly #isKnown: (method: string) => boolean;
  /** The series of the last call; the next call mostly belongs to the same series. */
  #last: CallSeries | undefined = undefined;

  /** @param isKnown whether a method exists; any other name, which a caller may invent, counts as `other` */
  constructor(isKnown: (method: string) => boolean = () => true) {
    this.#isKnown = isKnown;
  }

  /** @param queuedMs the part of the duration in which the call waited for a replica */
  record(method: string, outcome: Outcome, durationMs: number, queuedMs = 0): void {
    const last = this.#last;
    const series = last?.method === method && last.outcome === outcome ? last : this.#find(method, outcome);
    this.#last = series;
    countDuration(series, durationMs);
    if (queuedMs === 0) return;
    series.waits ??= noDurations();
    countDuration(series.waits, queuedMs);
  }

  /** Adds the counts of another thread. */
  merge(other: readonly CallSeries[]): void {
    for (const added of other) {
      const series = this.#find(added.method, added.outcome);
      addDurations(series, added);
      if (added.waits === undefined) continue;
      series.waits ??= noDurations();
      addDurations(series.waits, added.waits);
    }
  }

  series(): CallSeries[] {
    return [...this.#series.values()].flat().filter((series) => series !== undefined);
  }

  /** Returns the counts so far and starts again from zero. */
  take(): CallSeries[] {
    const series = this.series();
    this.#series.clear();
    this.#last = undefined;
    return series;
  }

  #find(method: string, outcome: Outcome): CallSeries {
    let byOutcome = this.#series.get(method);
    if (byOutcome === undefined) {
      if (method !== OTHER_METHOD && !this.#isKnown(method)) return this.#find(OTHER_METHOD, outcome);
      byOutcome = [];
      this.#series.set(method, byOutcome);
    }
    const index = OUTCOMES.indexOf(outcome);
    let series = byOutcome[index];
    if (series === undefined) {
      series = { method, outcome, ...noDurations(), waits: undefined };
      byOutcome[index] = series;
    }
    return series;
  }
}
