/** The members of a Prometheus registry that are used; the registries of prom-client and @prometheus-io/client have them. */
export interface MetricsRegister {
  readonly contentType: string;
  registerMetric(metric: never): void;
  metrics(): Promise<string>;
  getSingleMetric?(name: string): object | undefined;
  removeSingleMetric?(name: string): void;
}

/** The part of a metric that all registries share. */
interface Named {
  readonly name: string;
}

/** A registry that the app uses as well, with a record of the metrics that were registered from here. */
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
    // The app may have cleared its registry and registered another metric under the name.
    if (metric !== undefined && this.#register.getSingleMetric?.(name) === metric)
      this.#register.removeSingleMetric?.(name);
  }

  /** Removes every metric that was registered from here. */
  clear(): void {
    for (const name of [...this.#metrics.keys()]) this.removeSingleMetric(name);
  }
}
