import { invalidOption } from '../errors.ts';
import { isSameMetric, type MetricDefinition, type MetricDelta, MetricTable } from './table.ts';

/** The metrics that the user's code in this thread defined. */
class ThreadMetrics {
  readonly #tables = new Map<string, MetricTable>();
  readonly #listeners = new Set<(table: MetricTable) => void>();

  /** Defines a metric. Defining it again in the same way returns the same metric, so that several modules may define it. */
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
        `its first definition: a ${known.definition.kind} with the labels [${known.definition.labels.join(', ')}]`,
      );
    }
    return known;
  }

  /**
   * Calls the listener with every metric, beginning with the known ones.
   * @returns a function that removes the listener
   */
  watch(listener: (table: MetricTable) => void): () => void {
    for (const table of this.#tables.values()) listener(table);
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes the changes of all metrics since the last time. */
  take(): MetricDelta[] {
    return [...this.#tables.values()]
      .map((table) => ({ definition: table.definition, series: table.take() }))
      .filter(({ series }) => series.length > 0);
  }
}

export const threadMetrics: ThreadMetrics = new ThreadMetrics();
