import type { ReplicaLoad } from '../../load/load-table.ts';

/** Counts the calls that ended on the replicas of a deployment, including replicas that are gone. */
export class EndedCalls {
  #total = 0;
  readonly #seen = new WeakMap<ReplicaLoad, number>();

  /** @param replicas the running replicas */
  count(replicas: Iterable<{ readonly load: ReplicaLoad }>): number {
    for (const { load } of replicas) {
      const { served } = load;
      // The counter wraps with 32 bits.
      this.#total += (served - (this.#seen.get(load) ?? 0)) | 0;
      this.#seen.set(load, served);
    }
    return this.#total;
  }
}
