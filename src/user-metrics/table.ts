import { addBuckets, emptyBuckets } from '../load/histogram.ts';

export type MetricKind = 'counter' | 'gauge' | 'histogram';

export interface MetricDefinition {
  readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** The upper bounds of a histogram's buckets, without the infinite one at the end. */
  readonly bounds: readonly number[];
}

/** The values of one combination of label values. */
export interface MetricSeries {
  readonly app: string;
  readonly deployment: string;
  /** The rank of the replica that set a gauge; empty for metrics that are summed. */
  readonly rank: string;
  /** The label values, in the order of the definition's labels. */
  readonly values: readonly string[];
  /** A counter's total, a gauge's value, a histogram's sum. */
  value: number;
  /** The counts per bucket, not cumulative, with one more bucket than bounds; empty unless it is a histogram. */
  readonly buckets: number[];
}

/** A metric with its changes since the last time, as a thread ships it. */
export interface MetricDelta {
  readonly definition: MetricDefinition;
  readonly series: readonly MetricSeries[];
}

/** The most combinations that one metric keeps, so that a label with request ids does not fill the memory. */
export const MAX_SERIES = 1_000;

/** The number of scrapes that still contain the last values of a deployment after it has ended. */
const SCRAPES_OF_ENDED = 5;

/** The series of one metric. */
export class MetricTable {
  readonly definition: MetricDefinition;
  readonly #series = new Map<string, MetricSeries>();
  /** The deployments that ended, and the number of scrapes for which their series stay. */
  readonly #ended = new Map<string, number>();
  /** The number of observations that were dropped for lack of room. */
  dropped = 0;

  constructor(definition: MetricDefinition) {
    this.definition = definition;
  }

  get all(): readonly MetricSeries[] {
    return [...this.#series.values()];
  }

  /** The series of a combination. If there are too many, it is a new one that is not kept. */
  series(app: string, deployment: string, values: readonly string[], rank = ''): MetricSeries {
    const key = keyOf({ app, deployment, rank, values });
    if (this.#ended.size > 0) this.#ended.delete(locate(app, deployment));
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= MAX_SERIES) this.#dropEnded(() => true);
    const { kind, bounds } = this.definition;
    const buckets = kind === 'histogram' ? emptyBuckets(bounds) : [];
    const made = { app, deployment, rank, values, value: 0, buckets };
    if (this.#series.size >= MAX_SERIES) this.dropped++;
    else this.#series.set(key, made);
    return made;
  }

  /** Adds the values of a thread; a gauge takes the new value. */
  merge(given: readonly MetricSeries[], app: string, deployment: string, rank: string): void {
    const isGauge = this.definition.kind === 'gauge';
    for (const from of given) {
      const to = this.series(app, deployment, from.values, isGauge ? rank : '');
      to.value = isGauge ? from.value : to.value + from.value;
      addBuckets(to.buckets, from.buckets);
    }
  }

  /** Notes that a deployment has ended: its last values stay for a few scrapes, unless other series need the room. */
  ended(app: string, deployment: string): void {
    this.#ended.set(locate(app, deployment), SCRAPES_OF_ENDED);
  }

  /** The series for a scrape. */
  scrape(): readonly MetricSeries[] {
    const { all } = this;
    for (const [place, scrapes] of this.#ended) this.#ended.set(place, scrapes - 1);
    this.#dropEnded((scrapes) => scrapes <= 0);
    return all;
  }

  #dropEnded(isDue: (scrapes: number) => boolean): void {
    if (this.#ended.size === 0) return;
    const due = new Set([...this.#ended].flatMap(([place, scrapes]) => (isDue(scrapes) ? [place] : [])));
    if (due.size === 0) return;
    for (const place of due) this.#ended.delete(place);
    for (const [key, { app, deployment }] of this.#series)
      if (due.has(locate(app, deployment))) this.#series.delete(key);
  }

  /** Removes the gauges of the replica of a rank. */
  forget(app: string, deployment: string, rank: string): void {
    for (const [key, series] of this.#series) {
      if (series.app === app && series.deployment === deployment && series.rank === rank)
        this.#series.delete(key);
    }
  }

  /** Moves the gauges of a replica to its new rank. */
  renumber(app: string, deployment: string, from: string, to: string): void {
    for (const [key, series] of this.#series) {
      if (series.app !== app || series.deployment !== deployment || series.rank !== from) continue;
      this.#series.delete(key);
      const moved = { ...series, rank: to };
      this.#series.set(keyOf(moved), moved);
    }
  }

  /** Takes the changes since the last time. Gauges stay, because they hold until they are set again. */
  take(): readonly MetricSeries[] {
    const all = this.all;
    if (this.definition.kind !== 'gauge') this.#series.clear();
    return all;
  }
}

function keyOf({ app, deployment, rank, values }: Omit<MetricSeries, 'value' | 'buckets'>): string {
  return JSON.stringify([app, deployment, rank, ...values]);
}

function locate(app: string, deployment: string): string {
  return `${app}/${deployment}`;
}

/** Whether two definitions of one name are the same metric. */
export function isSameMetric(a: MetricDefinition, b: MetricDefinition): boolean {
  return a.kind === b.kind && a.labels.join() === b.labels.join() && a.bounds.join() === b.bounds.join();
}
