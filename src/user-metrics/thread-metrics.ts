import { invalidOption } from '../errors.ts';
import { isSameMetric, type MetricDefinition, type MetricDelta, MetricTable } from './table.ts';

/** The metrics that the user's code in this thread defined. */
class ThreadMetrics {
  readonly #tables = new Map<string, MetricTable>();
  readonly #listeners = new Set<(table: MetricTable) => void>();

  /** The same definition again is the same metric: a module may define what another one did. */
  define(definition: MetricDefinition): MetricTable {
    const known = this.#tables.get(definition.name);
    if (known === undefined) {
      const table = new MetricTable(definition);
      this.#tables.set(definition.name, table);
      for (const listener of this.#listeners) listener(table);
      return table;
    }
    if (!isSameMetric(known.definition, definition)) {
      throw invalidOption(
        `metrics.${definition.kind}('${definition.name}')`,
        definition,
        `what it was defined as before: a ${known.definition.kind} with the labels [${known.definition.labels.join(', ')}]`,
      );
    }
    return known;
  }

  /**
   * Tells of every metric, those that are there already first.
   * @returns takes the listener away
   */
  watch(listener: (table: MetricTable) => void): () => void {
    for (const table of this.#tables.values()) listener(table);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** What came since the last time. */
  take(): MetricDelta[] {
    return [...this.#tables.values()]
      .map((table) => ({ definition: table.definition, series: table.take() }))
      .filter(({ series }) => series.length > 0);
  }
}

export const threadMetrics: ThreadMetrics = new ThreadMetrics();
