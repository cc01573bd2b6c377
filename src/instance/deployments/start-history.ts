import {
  type CrashHistory,
  isOverBudget,
  nextStartAt,
  type RestartPolicy,
  recordCrash,
} from '../../controller/back-off.ts';
import { ServeError } from '../../errors.ts';

/** Failed starts with these codes are not tried again. */
const HOPELESS: ReadonlySet<string> = new Set([
  'SERVE_MODULE_MISMATCH',
  'SERVE_MAIN_IN_WORKER',
  'SERVE_INVALID_OPTION',
  'SERVE_NOT_SERIALIZABLE',
]);

/** Failed starts in a row of a new version, until the old one stays. */
const MAX_FAILED_STARTS_OF_UPDATE = 3;

export interface FailedStart {
  readonly error: unknown;
  readonly phase: string;
  /** It was ended because it took too long. */
  readonly isOverdue: boolean;
  /** An old version serves. */
  readonly isUpdate: boolean;
  readonly target: number;
  readonly maxConstructorRetryCount: number;
}

/** How the replicas of a deployment's current version fared: when the next may start, and when there is no point in it. */
export class StartHistory {
  #crashes: CrashHistory = [];
  #failed = 0;
  /** One of them ran once. */
  hasRun = false;

  /** Another version, or another try. */
  reset(hasRun: boolean): void {
    this.#crashes = [];
    this.#failed = 0;
    this.hasRun = hasRun;
  }

  /** One died, or did not start. */
  crashed(at: number): void {
    this.#crashes = recordCrash(this.#crashes, at);
  }

  /** None may be started yet. */
  isWaiting(policy: RestartPolicy, at: number): boolean {
    return at < nextStartAt(this.#crashes, policy, at);
  }

  /** In how many ms the next may be started; 0 = now. */
  nextIn(policy: RestartPolicy, at: number): number {
    return Math.max(0, nextStartAt(this.#crashes, policy, at) - at);
  }

  isOverBudget(policy: RestartPolicy, at: number): boolean {
    return isOverBudget(this.#crashes, policy, at);
  }

  /** One did not start. @returns whether to give up */
  failed(start: FailedStart): boolean {
    const { error, phase, isOverdue, isUpdate, target, maxConstructorRetryCount } = start;
    // What is wrong with the code or its options is wrong the next time as well.
    const isHopeless =
      (error instanceof ServeError && HOPELESS.has(error.code)) ||
      (isUpdate && (phase === 'import' || isOverdue));
    const most = isUpdate ? MAX_FAILED_STARTS_OF_UPDATE : Math.max(1, target) * 3;
    return ++this.#failed >= Math.min(maxConstructorRetryCount, most) || isHopeless;
  }
}
