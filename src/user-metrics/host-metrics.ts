import { ShippedMetric } from './shipped-metric.ts';
import { isSameMetric, type MetricDefinition, type MetricDelta, type MetricTable } from './table.ts';
import { threadMetrics } from './thread-metrics.ts';

/** A replica that ships metrics. */
interface Shipper {
  readonly replicaId: string;
  readonly rank: number;
}

/** The users' metrics of all threads of one instance: those that replicas shipped, and those of the host's own code. */
export class HostMetrics {
  readonly #shipped = new Map<string, ShippedMetric>();
  readonly #own = new Map<string, MetricTable>();
  readonly #defined = new Map<string, MetricDefinition>();
  readonly #listeners = new Set<(definition: MetricDefinition) => void>();
  readonly #warned = new Set<string>();
  readonly #onDropped: (name: string, why: string) => void;
  readonly #unwatch: () => void;

  /** @param onDropped called once per metric if values of it are not kept */
  constructor(onDropped: (name: string, why: string) => void) {
    this.#onDropped = onDropped;
    this.#unwatch = threadMetrics.watch((table) => {
      this.#own.set(table.definition.name, table);
      this.#define(table.definition);
    });
  }

  /** Adds the values that a replica shipped. */
  merge(deltas: readonly MetricDelta[], app: string, deployment: string, replica: Shipper): void {
    const place = `${app}/${deployment}`;
    for (const { definition, series } of deltas) {
      const { name } = definition;
      const own = this.#own.get(name);
      const metric = this.#shipped.get(name) ?? new ShippedMetric(definition);
      this.#shipped.set(name, metric);
      const isForeign = own !== undefined && !isSameMetric(own.definition, definition);
      if (isForeign || metric.isContested(definition, place))
        this.warn(name, `deployment '${deployment}' defines it differently from other deployments`);
      const table = isForeign ? undefined : metric.tableFor(definition, replica.replicaId, place);
      if (table === undefined) continue;
      table.merge(series, app, deployment, String(replica.rank));
      if (table.dropped > 0) this.warn(name, 'too many combinations of label values');
      this.#define(metric.definition);
    }
  }

  /** Removes the gauges of a replica that has ended. */
  forget(app: string, deployment: string, { replicaId, rank }: Shipper): void {
    for (const metric of this.#shipped.values()) {
      for (const table of metric.tables()) table.forget(app, deployment, String(rank));
      if (metric.gone(replicaId)) this.#define(metric.definition);
    }
  }

  /** Notes that a deployment has ended. Its series are removed after a few more scrapes. */
  ended(app: string, deployment: string): void {
    for (const table of this.#tables()) table.ended(app, deployment);
  }

  /** Moves the gauges of a replica to its new rank. */
  renumber(app: string, deployment: string, from: number, to: number): void {
    for (const metric of this.#shipped.values())
      for (const table of metric.tables()) table.renumber(app, deployment, String(from), String(to));
  }

  /** Calls the listener with every metric, beginning with the known ones. */
  watch(listener: (definition: MetricDefinition) => void): void {
    for (const definition of this.#defined.values()) listener(definition);
    this.#listeners.add(listener);
  }

  /** The series of a metric for a scrape. */
  scrape(name: string): MetricDelta | undefined {
    const definition = this.#defined.get(name);
    if (definition === undefined) return undefined;
    const tables = [this.#shipped.get(name)?.table, this.#own.get(name)];
    return { definition, series: tables.flatMap((table) => table?.scrape() ?? []) };
  }

  close(): void {
    this.#unwatch();
    this.#listeners.clear();
  }

  *#tables(): Generator<MetricTable> {
    for (const metric of this.#shipped.values()) yield* metric.tables();
    yield* this.#own.values();
  }

  #define(definition: MetricDefinition): void {
    const isNew = !this.#defined.has(definition.name);
    this.#defined.set(definition.name, definition);
    if (!isNew) return;
    for (const listener of this.#listeners) listener(definition);
  }

  /** Reports, once per metric, that values of it are not kept. */
  warn(name: string, why: string): void {
    if (this.#warned.has(name)) return;
    this.#warned.add(name);
    this.#onDropped(name, why);
  }
}
