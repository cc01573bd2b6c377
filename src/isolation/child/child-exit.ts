import type { ReportedExit } from '../../replica/control.ts';
import { packError, unpack } from '../../values/pack.ts';

/** The end of a child process. */
export interface ChildExit {
  /** Exit code; null if a signal ended the process, or it never started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Error of the start; undefined if the process ran. */
  readonly failure: Error | undefined;
  /** Whether this side killed the process. */
  readonly isKilled: boolean;
  /** Reason for which this side killed the process; undefined if there was none, or the process was not killed. */
  readonly killedFor: string | undefined;
  /** Whether the kernel killed a process of the control group for lack of memory while the child ran. */
  readonly isOutOfMemory: boolean;
  /** The last 4 KiB of the process's standard error. */
  readonly stderr: string;
}

/** Text with which V8 gives up when a heap is full. */
const HEAP_FULL = /heap out of memory|Reached heap limit/;

/** Name of the errors of `ChildExitError`, by which they are known after they have crossed a thread. */
export const CHILD_EXIT_ERROR = 'ChildExitError';

/** The end of a replica's process, as the cause of `SERVE_REPLICA_DIED`. */
export class ChildExitError extends Error {
  override readonly name = CHILD_EXIT_ERROR;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** The last 4 KiB of the process's standard error. */
  readonly stderr: string;

  constructor({ message, exitCode, signal, stderr, cause }: ReportedExit) {
    super(message, cause === undefined ? {} : { cause: unpack(cause) });
    // The frames would be those of this package.
    this.stack = `${CHILD_EXIT_ERROR}: ${message}`;
    this.exitCode = exitCode;
    this.signal = signal;
    this.stderr = stderr;
  }
}

/**
 * Describes an exit for the host.
 *
 * @param cause what the user's code gave as the cause, such as an uncaught error
 */
export function reportExit(exit: ChildExit, cause: unknown = exit.failure): ReportedExit {
  const { code: exitCode, signal, stderr } = exit;
  const packed = cause === undefined ? undefined : packError(cause);
  return { message: describeExit(exit), exitCode, signal, stderr, cause: packed };
}

function describeExit(exit: ChildExit): string {
  const { code, signal, failure, isKilled, killedFor, isOutOfMemory, stderr } = exit;
  if (failure !== undefined) return `its process could not be started: ${failure.message}`;
  if (HEAP_FULL.test(stderr))
    return 'its heap was full (resources.memoryMb, or resourceLimits.maxOldGenerationSizeMb)';
  if (signal === null) return `its process exited with code ${code}`;
  if (isKilled) return killedFor ?? 'its process was killed';
  if (isOutOfMemory) return `its process was killed by the system: out of memory`;
  return `its process was ended by ${signal}${signal === 'SIGKILL' ? ' (out of memory?)' : ''}`;
}
