import type { ReplicaLoad } from '../../load/load-table.ts';

/** Counts the calls that the replicas of a deployment have ended, those of replicas that are gone included. */
export class EndedCalls {
  #total = 0;
  readonly #seen = new WeakMap<ReplicaLoad, number>();

  /** @param replicas that run now */
  count(replicas: Iterable<{ readonly load: ReplicaLoad }>): number {
    for (const { load } of replicas) {
      const { served } = load;
      // The word wraps with 32 bits.
      this.#total += (served - (this.#seen.get(load) ?? 0)) | 0;
      this.#seen.set(load, served);
    }
    return this.#total;
  }
}
