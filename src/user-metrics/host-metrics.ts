import {
  isSameMetric,
  type MetricDefinition,
  type MetricDelta,
  type MetricSeries,
  MetricTable,
} from './table.ts';
import { threadMetrics } from './thread-metrics.ts';

/** The users' metrics of all threads of one instance: what replicas shipped, and what the host's own code counts. */
export class HostMetrics {
  readonly #shipped = new Map<string, MetricTable>();
  readonly #own = new Map<string, MetricTable>();
  readonly #defined = new Map<string, MetricDefinition>();
  readonly #listeners = new Set<(definition: MetricDefinition) => void>();
  readonly #warned = new Set<string>();
  readonly #onDropped: (name: string, why: string) => void;
  readonly #unwatch: () => void;

  /** @param onDropped something of a metric is not kept; told once per metric */
  constructor(onDropped: (name: string, why: string) => void) {
    this.#onDropped = onDropped;
    this.#unwatch = threadMetrics.watch((table) => {
      this.#own.set(table.definition.name, table);
      this.#define(table.definition);
    });
  }

  /** A replica counted. */
  merge(deltas: readonly MetricDelta[], app: string, deployment: string, rank: number): void {
    for (const { definition, series } of deltas) {
      const { name } = definition;
      const known = this.#shipped.get(name) ?? this.#own.get(name);
      if (known !== undefined && !isSameMetric(known.definition, definition)) {
        this.warn(name, `${deployment} defines it otherwise than others do`);
        continue;
      }
      const table = this.#shipped.get(name) ?? new MetricTable(definition);
      this.#shipped.set(name, table);
      table.merge(series, app, deployment, String(rank));
      if (table.dropped > 0) this.warn(name, 'it has too many combinations of label values');
      this.#define(definition);
    }
  }

  /** A replica is gone, and its gauges with it. */
  forget(app: string, deployment: string, rank: number): void {
    for (const table of this.#shipped.values()) table.forget(app, deployment, String(rank));
  }

  /** A replica has another rank, and its gauges with it. */
  renumber(app: string, deployment: string, from: number, to: number): void {
    for (const table of this.#shipped.values()) table.renumber(app, deployment, String(from), String(to));
  }

  /** Tells of every metric, those that are there already first. */
  watch(listener: (definition: MetricDefinition) => void): void {
    for (const definition of this.#defined.values()) listener(definition);
    this.#listeners.add(listener);
  }

  read(name: string): MetricSeries[] {
    return [...(this.#shipped.get(name)?.all ?? []), ...(this.#own.get(name)?.all ?? [])];
  }

  close(): void {
    this.#unwatch();
    this.#listeners.clear();
  }

  #define(definition: MetricDefinition): void {
    if (this.#defined.has(definition.name)) return;
    this.#defined.set(definition.name, definition);
    for (const listener of this.#listeners) listener(definition);
  }

  /** Something of a metric is not kept. Told once per metric. */
  warn(name: string, why: string): void {
    if (this.#warned.has(name)) return;
    this.#warned.add(name);
    this.#onDropped(name, why);
  }
}
