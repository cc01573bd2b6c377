import { ServeError } from '../errors.ts';
import type { LostCalls } from '../handle/routing/lost-calls.ts';
import type { StartPhase } from '../replica/control.ts';
import { isInstance, peek } from '../validation/peek.ts';
import { messageOf } from '../values/describe-value.ts';
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

/** Causes of the unexpected end of a replica; the `cause` label of `serve_replica_deaths_total`. */
export const DEATH_CAUSES = [
  'start',
  'exception',
  'exit',
  'memory',
  'blocked',
  'unhealthy',
  'other',
] as const;
export type DeathCause = (typeof DEATH_CAUSES)[number];

/** The cause of an end that the instance did not ask for. @param hasRun whether the replica came up */
export function deathCause(error: unknown, hasRun: boolean): DeathCause {
  if (peek(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY') return 'memory';
  if (!hasRun) return 'start';
  if (isInstance(error, ServeError)) return 'other';
  const isExit = messageOf(error).startsWith('the thread exited') || peek(error, 'name') === CHILD_EXIT_ERROR;
  return isExit ? 'exit' : 'exception';
}

/** The reason of an end, as the callers of the lost calls receive it. */
export function deathReason(error: unknown): string {
  if (error instanceof Error && error.name === CHILD_EXIT_ERROR) return error.message;
  const isFull = error instanceof Error && Reflect.get(error, 'code') === 'ERR_WORKER_OUT_OF_MEMORY';
  return isFull
    ? 'its heap was full (resources.memoryMb, or resourceLimits.maxOldGenerationSizeMb)'
    : `its thread ended${error === undefined ? '' : `: ${messageOf(error)}`}`;
}
