import { MIB } from '../validation/bytes.ts';
import type { ManagedReplica } from './managed-replica.ts';

/** What a garbage collection is about to free is no breach. */
const PATIENCE_MS = 1_000;

/** Sees to it that a replica stays within the memory that was reserved for it. */
export class MemoryQuota {
  readonly #replica: ManagedReplica;
  readonly #limitMb: number;
  #exceededSince: number | undefined = undefined;
  #isAsking = false;

  /** @param limitMb its `resources.memoryMb` */
  constructor(replica: ManagedReplica, limitMb: number) {
    this.#replica = replica;
    this.#limitMb = limitMb;
  }

  /** Looks once. `onExceeded` hears of it when the replica has held too much for a while. */
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
