import {
  type CrashHistory,
  isOverBudget,
  nextStartAt,
  type RestartPolicy,
  recordCrash,
} from '../../../controller/back-off.ts';
import { ServeError } from '../../../errors.ts';

/** Codes of failed starts that are not tried again. */
const HOPELESS: ReadonlySet<string> = new Set([
  'SERVE_MODULE_MISMATCH',
  'SERVE_MAIN_IN_WORKER',
  'SERVE_INVALID_OPTION',
  'SERVE_NOT_SERIALIZABLE',
]);

/** Consecutive failed starts of a new version after which the old version stays. */
const MAX_FAILED_STARTS_OF_UPDATE = 3;

export interface FailedStart {
  readonly error: unknown;
  readonly phase: string;
  /** Whether the replica was ended because its start took too long. */
  readonly isOverdue: boolean;
  /** Whether an old version serves. */
  readonly isUpdate: boolean;
  readonly target: number;
  readonly maxConstructorRetryCount: number;
}

/** Records the starts of the current version: decides when the next replica may start, and when further starts are pointless. */
export class StartHistory {
  #crashes: CrashHistory = [];
  #failed = 0;
  /** Whether a replica of the version ever ran. */
  hasRun = false;

  /** Resets the record for another version, or another try. */
  reset(hasRun: boolean): void {
    this.#crashes = [];
    this.#failed = 0;
    this.hasRun = hasRun;
  }

  /** Records a replica that died or failed to start. */
  crashed(at: number): void {
    this.#crashes = recordCrash(this.#crashes, at);
  }

  /** Whether starts are blocked now. */
  isWaiting(policy: RestartPolicy, at: number): boolean {
    return at < nextStartAt(this.#crashes, policy, at);
  }

  /** Time until the next start is allowed, in ms; 0 = now. */
  nextIn(policy: RestartPolicy, at: number): number {
    return Math.max(0, nextStartAt(this.#crashes, policy, at) - at);
  }

  isOverBudget(policy: RestartPolicy, at: number): boolean {
    return isOverBudget(this.#crashes, policy, at);
  }

  /** Records a failed start. @returns whether to give up */
  failed(start: FailedStart): boolean {
    const { error, phase, isOverdue, isUpdate, target, maxConstructorRetryCount } = start;
    // A fault of the code or its options does not go away with another try.
    const isHopeless =
      (error instanceof ServeError && HOPELESS.has(error.code)) ||
      (isUpdate && (phase === 'import' || isOverdue));
    const most = isUpdate ? MAX_FAILED_STARTS_OF_UPDATE : Math.max(1, target) * 3;
    return ++this.#failed >= Math.min(maxConstructorRetryCount, most) || isHopeless;
  }
}
