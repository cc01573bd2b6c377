import { isSameMetric, type MetricDefinition, MetricTable } from './table.ts';

/** One definition of a metric, with the values of the replicas that use this definition. */
class Edition {
  readonly table: MetricTable;
  /** The replicas that ship it, with their app and deployment. */
  readonly replicas = new Map<string, string>();

  constructor(definition: MetricDefinition) {
    this.table = new MetricTable(definition);
  }

  is(definition: MetricDefinition): boolean {
    return isSameMetric(this.table.definition, definition);
  }
}

/**
 * A metric that replicas ship. After an update of their code they may define it differently: the new series are kept beside
 * the old ones, and replace them when the last replica with the old definition has ended.
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
   * The table for a replica's values; undefined if two other definitions are in use.
   * @param place the app and deployment of the replica
   */
  tableFor(definition: MetricDefinition, replica: string, place: string): MetricTable | undefined {
    const edition = this.#editionFor(definition);
    edition?.replicas.set(replica, place);
    return edition?.table;
  }

  /** Whether a deployment defines it differently from another one that still runs. */
  isContested(definition: MetricDefinition, place: string): boolean {
    if (this.#current.is(definition)) return false;
    return [...this.#current.replicas.values()].some((other) => other !== place);
  }

  /** Notes that a replica has ended. @returns whether another definition is current from now on */
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
