import { ModelCache } from '../../src/batching/model-cache.ts';
import type { DeploymentLoad } from '../../src/load/deployment-load.ts';
import type { ReplicaLoad } from '../../src/load/load-table.ts';
import { ModelReporter } from '../../src/replica/model-reporter.ts';
import type { VirtualTime } from './virtual-time.ts';

/** The models of one replica: the shipped cache, with loads that take virtual time. */
export class ModelHost {
  loads = 0;
  readonly #time: VirtualTime;
  readonly #loadMs: number;
  readonly #cache: ModelCache<string>;

  constructor(
    time: VirtualTime,
    { slots, loadMs }: { readonly slots: number; readonly loadMs: number },
    load: ReplicaLoad,
    deploymentLoad: DeploymentLoad,
  ) {
    this.#time = time;
    this.#loadMs = loadMs;
    const reporter = new ModelReporter(load.models, deploymentLoad);
    this.#cache = new ModelCache<string>(slots, Infinity, {
      changed: () => reporter.changed(this.#cache.ids),
      used: () => reporter.used(this.#cache.stalestAt),
      loaded: (ms) => reporter.loaded(ms),
    });
  }

  get(id: string): Promise<string> {
    return this.#cache.get(id, undefined, () => this.#load(id));
  }

  #load(id: string): Promise<string> {
    this.loads++;
    return new Promise((resolve) => this.#time.after(this.#loadMs, () => resolve(id)));
  }
}
