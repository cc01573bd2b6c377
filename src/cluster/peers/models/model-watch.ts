import type { ModelTable } from '../../../load/model-table.ts';
import { time } from '../../../time/clock.ts';

/** Minimum time between two reports about one replica, in ms. */
const PAUSE_MS = 20;

/** Follows which models the replicas of this instance hold, whoever calls them. */
export class ModelWatch {
  readonly #tables = new Map<string, ModelTable>();
  readonly #onChange: (replicaId: string) => void;

  constructor(onChange: (replicaId: string) => void) {
    this.#onChange = onChange;
  }

  add(replicaId: string, models: ModelTable): void {
    this.#tables.set(replicaId, models);
    void this.#follow(replicaId, models);
  }

  remove(replicaId: string): void {
    const models = this.#tables.get(replicaId);
    this.#tables.delete(replicaId);
    models?.endWaits();
  }

  close(): void {
    for (const replicaId of [...this.#tables.keys()]) this.remove(replicaId);
  }

  async #follow(replicaId: string, models: ModelTable): Promise<void> {
    let seen = models.revision;
    const isWatched = (): boolean => this.#tables.get(replicaId) === models;
    while (isWatched()) {
      await models.waitChanged(seen);
      if (!isWatched()) return;
      seen = models.revision;
      this.#onChange(replicaId);
      await pause();
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    time.after(PAUSE_MS, resolve).unref();
  });
}
