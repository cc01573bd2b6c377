import { addBuckets, countInto, emptyBuckets } from '../load/histogram.ts';
import type { BatchRecord } from './batch-queue.ts';

/** The upper bounds of the histogram of batch sizes, without the infinite one at the end. */
export const SIZE_BOUNDS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024];
/** The upper bounds of the histogram of waits, in ms, without the infinite one at the end. */
export const WAIT_BOUNDS_MS: readonly number[] = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000];

/** The counts of one function. Buckets are not cumulative; there is one more bucket than there are bounds. */
export interface BatchSeries {
  readonly function: string;
  batches: number;
  items: number;
  waitSumMs: number;
  readonly sizes: number[];
  readonly waits: number[];
}

/** The counts of one deployment. */
export interface CountedBatches {
  readonly app: string;
  readonly deployment: string;
  readonly series: readonly BatchSeries[];
}

/** The counts of a deployment, with the names that they are reported under. */
interface Counted {
  readonly app: string;
  readonly deployment: string;
  readonly stats: BatchStats;
}

/** Counts the batches of a thread, which may run inline replicas of other deployments beside its own. */
export class ThreadBatches {
  readonly #own: { readonly app: string; readonly deployment: string };
  readonly #counted = new Map<string, Counted>();

  /** @param own the deployment that gets the batches which belong to no call */
  constructor(own: { readonly app: string; readonly deployment: string }) {
    this.#own = own;
  }

  record(name: string, record: BatchRecord): void {
    const { app, deployment } = record.replica === '' ? this.#own : record;
    const key = `${app}/${deployment}`;
    const counted = this.#counted.get(key) ?? { app, deployment, stats: new BatchStats() };
    this.#counted.set(key, counted);
    counted.stats.record(name, record);
  }

  /** Takes the counts so far, and starts again from zero. */
  take(): CountedBatches[] {
    return [...this.#counted.values()].flatMap(({ app, deployment, stats }) => {
      const series = stats.take();
      return series.length === 0 ? [] : [{ app, deployment, series }];
    });
  }
}

/** Counts the batches of a deployment. A replica ships the counts since the last time to the host. */
export class BatchStats {
  readonly #series = new Map<string, BatchSeries>();

  record(name: string, { size, waitMs }: BatchRecord): void {
    const series = this.#find(name);
    series.batches++;
    series.items += size;
    series.waitSumMs += waitMs;
    countInto(series.sizes, SIZE_BOUNDS, size);
    countInto(series.waits, WAIT_BOUNDS_MS, waitMs);
  }

  /** Adds the counts of another thread. */
  merge(others: readonly BatchSeries[]): void {
    for (const other of others) {
      const series = this.#find(other.function);
      series.batches += other.batches;
      series.items += other.items;
      series.waitSumMs += other.waitSumMs;
      addBuckets(series.sizes, other.sizes);
      addBuckets(series.waits, other.waits);
    }
  }

  series(): BatchSeries[] {
    return [...this.#series.values()];
  }

  /** Takes the counts so far, and starts again from zero. */
  take(): BatchSeries[] {
    const series = this.series();
    this.#series.clear();
    return series;
  }

  #find(name: string): BatchSeries {
    const known = this.#series.get(name);
    if (known !== undefined) return known;
    const made: BatchSeries = {
      function: name,
      batches: 0,
      items: 0,
      waitSumMs: 0,
      sizes: emptyBuckets(SIZE_BOUNDS),
      waits: emptyBuckets(WAIT_BOUNDS_MS),
    };
    this.#series.set(name, made);
    return made;
  }
}
