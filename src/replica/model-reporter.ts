import type { ModelsListener } from '../batching/multiplexed.ts';
import type { DeploymentLoad } from '../load/deployment-load.ts';
import { hash } from '../load/hash.ts';
import type { ModelTable } from '../load/model-table.ts';

/** The weight of the newest load in the mean, so that about the last seven count. */
const NEWEST = 0.25;

/** Tells the callers of a replica which models it holds, and what a load costs. */
export class ModelReporter implements ModelsListener {
  readonly #table: ModelTable;
  readonly #deploymentLoad: DeploymentLoad;

  constructor(table: ModelTable, deploymentLoad: DeploymentLoad) {
    this.#table = table;
    this.#deploymentLoad = deploymentLoad;
  }

  made(): void {
    this.#table.keepsModels = true;
  }

  changed(modelIds: readonly string[]): void {
    this.#table.advertise(modelIds.map(hash));
    // Calls that wait for a model which was evicted may now go elsewhere.
    this.#deploymentLoad.announceFreed();
  }

  used(stalestAt: number | undefined): void {
    this.#table.stalestAt = stalestAt === undefined ? 0 : stalestAt | 0 || 1;
  }

  loaded(ms: number): void {
    const { loadMs } = this.#table;
    this.#table.loadMs = loadMs === 0 ? ms : loadMs + NEWEST * (ms - loadMs);
  }
}
