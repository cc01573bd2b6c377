/** The part of a Prometheus registry that is used: prom-client's and @prometheus-io/client's both have it. */
export interface MetricsRegister {
  readonly contentType: string;
  registerMetric(metric: never): void;
  metrics(): Promise<string>;
  getSingleMetric?(name: string): object | undefined;
  removeSingleMetric?(name: string): void;
}

/** A metric by its name, as all registries know one. */
interface Named {
  readonly name: string;
}

/** A registry that others use as well, and what was put into it from here. */
export class Registered implements MetricsRegister {
  readonly #register: MetricsRegister;
  readonly #metrics = new Map<string, Named>();

  constructor(register: MetricsRegister) {
    this.#register = register;
  }

  get contentType(): string {
    return this.#register.contentType;
  }

  registerMetric(metric: never): void {
    this.#register.registerMetric(metric);
    const named: Named = metric;
    this.#metrics.set(named.name, named);
  }

  metrics(): Promise<string> {
    return this.#register.metrics();
  }

  removeSingleMetric(name: string): void {
    const metric = this.#metrics.get(name);
    this.#metrics.delete(name);
    // Its owner may have cleared the registry, and have put another one there.
    if (metric !== undefined && this.#register.getSingleMetric?.(name) === metric)
      this.#register.removeSingleMetric?.(name);
  }

  /** Takes all of it out again. */
  clear(): void {
    for (const name of [...this.#metrics.keys()]) this.removeSingleMetric(name);
  }
}
