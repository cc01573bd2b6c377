import { isSameMetric, type MetricDefinition, MetricTable } from './table.ts';

/** A metric as some replicas define it. */
class Edition {
  readonly table: MetricTable;
  /** Replicas that ship it, and whose they are. */
  readonly replicas = new Map<string, string>();

  constructor(definition: MetricDefinition) {
    this.table = new MetricTable(definition);
  }

  is(definition: MetricDefinition): boolean {
    return isSameMetric(this.table.definition, definition);
  }
}

/**
 * A metric that replicas ship. After an update of their code they may define it otherwise: what they count is kept beside
 * the old series, and takes their place when the last replica with the old definition has gone.
 */
export class ShippedMetric {
  #current: Edition;
  #next: Edition | undefined = undefined;

  constructor(definition: MetricDefinition) {
    this.#current = new Edition(definition);
  }

  get table(): MetricTable {
    return this.#current.table;
  }

  get definition(): MetricDefinition {
    return this.table.definition;
  }

  /**
   * Where a replica's values go; undefined if two other definitions are in use.
   * @param place app and deployment of the replica
   */
  tableFor(definition: MetricDefinition, replica: string, place: string): MetricTable | undefined {
    const edition = this.#editionFor(definition);
    edition?.replicas.set(replica, place);
    return edition?.table;
  }

  /** Whether a deployment defines it otherwise than another one that still runs. */
  isContested(definition: MetricDefinition, place: string): boolean {
    if (this.#current.is(definition)) return false;
    return [...this.#current.replicas.values()].some((other) => other !== place);
  }

  /** @returns whether it is another metric from now on */
  gone(replica: string): boolean {
    this.#next?.replicas.delete(replica);
    this.#current.replicas.delete(replica);
    if (this.#next === undefined || this.#current.replicas.size > 0) return false;
    this.#current = this.#next;
    this.#next = undefined;
    return true;
  }

  tables(): MetricTable[] {
    return this.#next === undefined ? [this.table] : [this.table, this.#next.table];
  }

  #editionFor(definition: MetricDefinition): Edition | undefined {
    if (this.#current.is(definition)) return this.#current;
    if (this.#current.replicas.size === 0) {
      this.#current = new Edition(definition);
      return this.#current;
    }
    if (this.#next === undefined || (this.#next.replicas.size === 0 && !this.#next.is(definition)))
      this.#next = new Edition(definition);
    return this.#next.is(definition) ? this.#next : undefined;
  }
}
