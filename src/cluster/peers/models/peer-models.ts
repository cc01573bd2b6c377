import { MAX_KNOWN_MODELS, type ModelTable, type ReplicaModels } from '../../../load/model-table.ts';

/** The multiplexed models of a deployment's replicas, as its instance tells its peers. */
export interface ModelsStatus {
  /** Hashes of the ids of all models that any replica holds; not all of them if there are very many. */
  readonly hashes: readonly number[];
  /** Number of models at the replica that would load the next one. */
  readonly count: number;
  /** Mean time of a load, in ms; 0 = unknown. */
  readonly loadMs: number;
  /** Time since the last use of the model that would make room for the next one, in ms; 0 = there is room for another model. */
  readonly idleMs: number;
}

/** Describes the models of replicas; undefined if none of the replicas keeps models. @param at now */
export function describeModels(tables: readonly ModelTable[], at: number): ModelsStatus | undefined {
  const keeping = tables.filter(({ keepsModels }) => keepsModels);
  if (keeping.length === 0) return undefined;
  const hashes = new Set<number>();
  for (const table of keeping)
    for (let index = 0, hash = table.at(0); hash !== undefined; hash = table.at(++index)) hashes.add(hash);
  const roomy = keeping.filter(({ stalestAt }) => stalestAt === 0);
  const loads = keeping.map(({ loadMs }) => loadMs).filter((ms) => ms > 0);
  return {
    hashes: [...hashes].slice(-MAX_KNOWN_MODELS),
    count: Math.min(...(roomy.length > 0 ? roomy : keeping).map(({ count }) => count)),
    loadMs: loads.length === 0 ? 0 : loads.reduce((sum, ms) => sum + ms, 0) / loads.length,
    idleMs: roomy.length > 0 ? 0 : Math.max(1, ...keeping.map(({ stalestAt }) => ((at | 0) - stalestAt) | 0)),
  };
}

/** The multiplexed models of a deployment in another instance, as the instance last told. */
export class PeerModels implements ReplicaModels {
  keepsModels = false;
  count = 0;
  loadMs = 0;
  stalestAt = 0;
  #hashes: readonly number[] = [];

  holds(hash: number): boolean {
    return this.#hashes.includes(hash >>> 0);
  }

  at(index: number): number | undefined {
    return this.#hashes[index];
  }

  /** @param at now */
  update(status: ModelsStatus | undefined, at: number): void {
    this.keepsModels = status !== undefined;
    this.count = status?.count ?? 0;
    this.loadMs = status?.loadMs ?? 0;
    this.stalestAt = status === undefined || status.idleMs === 0 ? 0 : (at - status.idleMs) | 0 || 1;
    this.#hashes = status?.hashes ?? [];
  }

  /** Writes what is known to the table that callers in other threads read. */
  copyTo(table: ModelTable): void {
    table.keepsModels = this.keepsModels;
    table.stalestAt = this.stalestAt;
    if (this.loadMs > 0) table.loadMs = this.loadMs;
    table.advertise(this.#hashes);
  }
}
