import { DeploymentLoad } from '../../load/deployment-load.ts';
import { time } from '../../time/clock.ts';
import type { Call } from '../call/call.ts';
import type { Counters } from '../call/counters.ts';
import type { RouteConfig } from '../call/route-config.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import { Hedging, type Reserve } from './hedging.ts';
import type { MethodTimes } from './method-times.ts';
import { RETRY_BUDGET, RetryBudget } from './retry-budget.ts';
import { IdempotentMethods, MAX_ATTEMPTS, retryPauseMs } from './retry-policy.ts';

/**
 * Decides when a call to a deployment is sent a second time: after its replica died (retry), or because it is slow
 * (hedge).
 *
 * A call that had not started is moved at once and outside the budget, since no work is done twice (gRPC's transparent
 * retry). A call that had started is repeated only if its method is idempotent, after a pause, and within the
 * deployment's budget, which all threads of the instance share. An error that a replica answered is never retried.
 */
export class Retries {
  /** Whether some calls may be sent twice and have to be watched. */
  isWatchful = false;
  #methods = new IdempotentMethods(false);
  #load = new DeploymentLoad();
  #budget = retryBudget(this.#load);
  #hedging: Hedging | undefined = undefined;
  #configured = '';
  readonly #counters: Counters;
  readonly #times: MethodTimes;
  readonly #reserve: Reserve;

  constructor(counters: Counters, times: MethodTimes, reserve: Reserve) {
    this.#counters = counters;
    this.#times = times;
    this.#reserve = reserve;
  }

  /** Adopts the counts that all threads share. */
  adopt(load: DeploymentLoad): void {
    this.#load = load;
    this.#budget = retryBudget(load);
    this.#configured = '';
  }

  configure({ idempotent, hedge }: RouteConfig): void {
    const configured = JSON.stringify([idempotent, hedge]);
    if (configured === this.#configured) return;
    this.#configured = configured;
    this.#methods = new IdempotentMethods(idempotent);
    this.isWatchful = !this.#methods.isEmpty;
    this.#hedging =
      hedge === undefined
        ? undefined
        : new Hedging(
            hedge,
            hedgeBudget(hedge.maxExtraRatio, this.#load),
            this.#counters,
            this.#times,
            this.#reserve,
          );
  }

  isIdempotent(method: string): boolean {
    return this.#methods.has(method);
  }

  /** A call was sent. */
  watch(call: Call, endpoint: Endpoint): void {
    if (call.isPinned || !this.isIdempotent(call.method)) return;
    if (call.attempts === 1) this.#budget.deposit(1, call.sentAt);
    this.#hedging?.watch(call, endpoint);
  }

  /**
   * A call lost its replica.
   * @param started the call may have run, wholly or in part
   * @returns the pause before the call is sent again, in ms; undefined if it is not sent again
   */
  pauseBeforeRetry(call: Call, started: boolean, at: number): number | undefined {
    // Moved or uploaded data is gone with the dead replica. A link to another instance moves nothing.
    const isMoved = call.transfer?.some(({ detached }) => detached) === true;
    const isGone = isMoved || call.meta?.upload !== undefined;
    if (call.isPinned || isGone || call.attempts >= MAX_ATTEMPTS) return undefined;
    if (!started) {
      this.#counters.add('retries');
      return 0;
    }
    const pause = retryPauseMs(call.attempts, time.random());
    const isTooLate = call.expiresAt !== 0 && at + pause >= call.expiresAt;
    if (isTooLate || !this.isIdempotent(call.method)) return undefined;
    const isPaid = this.#budget.withdraw(at);
    this.#counters.add(isPaid ? 'retries' : 'retries_denied');
    return isPaid ? pause : undefined;
  }
}

function retryBudget({ repeatable, retries }: DeploymentLoad): RetryBudget {
  return new RetryBudget(RETRY_BUDGET, { calls: repeatable, extra: retries });
}

/** The hedge budget: a share of the calls of the last 10 s. */
function hedgeBudget(ratio: number, { repeatable, hedges }: DeploymentLoad): RetryBudget {
  const { windowSeconds } = RETRY_BUDGET;
  return new RetryBudget({ ratio, perSecond: 0, windowSeconds }, { calls: repeatable, extra: hedges });
}
