import type { LostCalls } from '../handle/routing/lost-calls.ts';
import type { StartPhase } from '../replica/control.ts';
import { CHILD_EXIT_ERROR } from './child/child-exit.ts';

/** Details of how a replica ended. */
export interface ReplicaExit {
  /** Whether the replica was told to end. */
  readonly isExpected: boolean;
  /** Phase of the start that failed; undefined if the replica came up. */
  readonly phase: StartPhase | 'start' | undefined;
  readonly error: unknown;
  /** Collects the calls that the replica ran. */
  readonly lost: LostCalls;
}

/** The reason of an end, as the callers of the lost calls receive it. */
export function deathReason(error: unknown): string {
  if (error instanceof Error && error.name === CHILD_EXIT_ERROR) return error.message;
  const isFull = error instanceof Error && Reflect.get(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY';
  return isFull
    ? 'its heap was full (resources.memoryMb, or resourceLimits.maxOldGenerationSizeMb)'
    : 'its thread ended';
}
