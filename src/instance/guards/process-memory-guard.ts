import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import { MIB } from '../../validation/bytes.ts';
import { residentMemory } from './resident-memory.ts';

/**
 * Protects the host from the memory use of replicas. `resourceLimits` bounds a thread's heap, but not its buffers, which live
 * outside: when the process has used nearly all its memory, the replica that holds the most is ended.
 */
export class ProcessMemoryGuard {
  readonly #limit: number;
  readonly #replicas: () => Iterable<ManagedReplica>;
  readonly #recycle: (replica: ManagedReplica, why: string) => void;
  #isLooking = false;

  /** @param limitMb limit of the whole process */
  constructor(
    limitMb: number,
    replicas: () => Iterable<ManagedReplica>,
    recycle: (replica: ManagedReplica, why: string) => void,
  ) {
    this.#limit = limitMb * MIB;
    this.#replicas = replicas;
    this.#recycle = recycle;
  }

  tick(): void {
    if (this.#isLooking || residentMemory() < this.#limit) return;
    this.#isLooking = true;
    this.#recycleLargest().finally(() => {
      this.#isLooking = false;
    });
  }

  async #recycleLargest(): Promise<void> {
    const held = await Promise.all(
      [...this.#replicas()].map(async (replica) => ({ replica, bytes: await replica.memory() })),
    );
    const [largest] = held.sort((a, b) => b.bytes - a.bytes);
    if (largest === undefined || largest.bytes === 0) return;
    const used = Math.round(residentMemory() / MIB);
    const limit = Math.round(this.#limit / MIB);
    const own = Math.round(largest.bytes / MIB);
    this.#recycle(
      largest.replica,
      `the process uses ${used} of ${limit} MiB, and this replica holds the most (${own} MiB)`,
    );
  }
}
