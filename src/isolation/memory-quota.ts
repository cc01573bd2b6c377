import { MIB } from '../validation/bytes.ts';
import type { ManagedReplica } from './managed-replica.ts';

/** Time for which the memory may exceed the quota: a garbage collection may be about to free it. */
const PATIENCE_MS = 1_000;

/** Checks that a replica stays within its reserved memory. */
export class MemoryQuota {
  readonly #replica: ManagedReplica;
  readonly #limitMb: number;
  #exceededSince: number | undefined = undefined;
  #isAsking = false;

  /** @param limitMb `resources.memoryMb` of the replica */
  constructor(replica: ManagedReplica, limitMb: number) {
    this.#replica = replica;
    this.#limitMb = limitMb;
  }

  /** Takes one sample. `onExceeded` is called when the replica has exceeded its quota for a while. */
  tick(at: number, onExceeded: (why: string) => void): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    void this.#replica.memory().then((bytes) => {
      this.#isAsking = false;
      if (bytes <= this.#limitMb * MIB) {
        this.#exceededSince = undefined;
        return;
      }
      this.#exceededSince ??= at;
      if (at - this.#exceededSince < PATIENCE_MS) return;
      onExceeded(
        `it holds ${Math.round(bytes / MIB)} MiB, more than its resources.memoryMb (${this.#limitMb})`,
      );
    });
  }
}
