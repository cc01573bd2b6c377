export type MetricKind = 'counter' | 'gauge' | 'histogram';

export interface MetricDefinition {
  readonly kind: MetricKind;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets; an infinite one follows. */
  readonly bounds: readonly number[];
}

/** One combination of label values. */
export interface MetricSeries {
  readonly app: string;
  readonly deployment: string;
  /** Rank of the replica that set a gauge; empty for what is summed. */
  readonly rank: string;
  /** In the order of the definition's labels. */
  readonly values: readonly string[];
  /** A counter's total, a gauge's value, a histogram's sum. */
  value: number;
  /** Not cumulative; one more than there are bounds. Empty unless it is a histogram. */
  readonly buckets: number[];
}

/** What a thread ships: a metric, and what came since the last time. */
export interface MetricDelta {
  readonly definition: MetricDefinition;
  readonly series: readonly MetricSeries[];
}

/** Combinations that one metric keeps: a label that is a request id must not fill the memory. */
export const MAX_SERIES = 1_000;

/** How often the last values of a deployment are scraped once it has ended. */
const SCRAPES_OF_ENDED = 5;

/** The series of one metric. */
export class MetricTable {
  readonly definition: MetricDefinition;
  readonly #series = new Map<string, MetricSeries>();
  /** Deployments that ended, and for how many scrapes their series stay. */
  readonly #ended = new Map<string, number>();
  /** Observations that found no room. */
  dropped = 0;

  constructor(definition: MetricDefinition) {
    this.definition = definition;
  }

  get all(): readonly MetricSeries[] {
    return [...this.#series.values()];
  }

  /** One that nobody reads, once there are too many. */
  series(app: string, deployment: string, values: readonly string[], rank = ''): MetricSeries {
    const key = keyOf({ app, deployment, rank, values });
    if (this.#ended.size > 0) this.#ended.delete(locate(app, deployment));
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size >= MAX_SERIES) this.#dropEnded(() => true);
    const buckets = new Array<number>(
      this.definition.kind === 'histogram' ? this.definition.bounds.length + 1 : 0,
    );
    const made = { app, deployment, rank, values, value: 0, buckets: buckets.fill(0) };
    if (this.#series.size >= MAX_SERIES) this.dropped++;
    else this.#series.set(key, made);
    return made;
  }

  /** Adds what a thread counted; a gauge takes its value over. */
  merge(given: readonly MetricSeries[], app: string, deployment: string, rank: string): void {
    const isGauge = this.definition.kind === 'gauge';
    for (const from of given) {
      const to = this.series(app, deployment, from.values, isGauge ? rank : '');
      to.value = isGauge ? from.value : to.value + from.value;
      for (let index = 0; index < to.buckets.length; index++) {
        to.buckets[index] = (to.buckets[index] as number) + (from.buckets[index] ?? 0);
      }
    }
  }

  /** The deployment has ended: the last values are scraped a few times more, unless others need the room. */
  ended(app: string, deployment: string): void {
    this.#ended.set(locate(app, deployment), SCRAPES_OF_ENDED);
  }

  /** What a scrape gets to see. */
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

  /** The replica of that rank is gone, and its gauges with it. */
  forget(app: string, deployment: string, rank: string): void {
    for (const [key, series] of this.#series) {
      if (series.app === app && series.deployment === deployment && series.rank === rank)
        this.#series.delete(key);
    }
  }

  /** The replica has another rank, and its gauges with it. */
  renumber(app: string, deployment: string, from: string, to: string): void {
    for (const [key, series] of this.#series) {
      if (series.app !== app || series.deployment !== deployment || series.rank !== from) continue;
      this.#series.delete(key);
      const moved = { ...series, rank: to };
      this.#series.set(keyOf(moved), moved);
    }
  }

  /** What came since the last time. Gauges stay: they hold until they are set again. */
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
