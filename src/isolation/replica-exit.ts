import type { StartPhase } from '../replica/control.ts';

/** How a replica ended. */
export interface ReplicaExit {
  /** Whether it was asked to. */
  readonly isExpected: boolean;
  /** Where it failed, if it never came up. */
  readonly phase: StartPhase | 'start' | undefined;
  readonly error: unknown;
}

/** In words. */
export function howItEnded(error: unknown): string {
  const isFull = error instanceof Error && Reflect.get(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY';
  return isFull
    ? 'its heap was full (resources.memoryMb, or resourceLimits.maxOldGenerationSizeMb)'
    : 'its thread ended';
}
