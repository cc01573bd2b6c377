import { methodLabel } from '../../channel/method-names.ts';
import { ServeError } from '../../errors.ts';
import { now } from '../../time/clock.ts';
import { describe } from '../../values/describe-value.ts';
import { digest } from '../../values/digest.ts';
import type { Marks } from '../../values/marks.ts';
import type { Call } from '../call/call.ts';
import type { Counters } from '../call/counters.ts';
import { ResultCache } from './result-cache.ts';

/** HTTP status of Stripe and the IETF draft for a key that is reused with another request. */
const KEY_REUSED_STATUS = 422;

/** A call with an idempotency key. */
export interface CallWithKey {
  readonly route: { readonly app: string; readonly deployment: string };
  readonly method: string;
  readonly tenant: string;
  readonly requestId: string;
  readonly args: readonly unknown[];
  readonly marks: Marks | undefined;
  readonly isSettled: boolean;
  /** Ends the call. */
  reject(error: unknown): void;
}

/** The one execution under a key. */
export interface KeyedRun<C> {
  /** Hash of the arguments. */
  readonly fingerprint: string;
  /** Lets a call wait for the execution. */
  join(call: C): void;
}

/** Hears how an execution ended. */
export interface RunListener<Result> {
  /** @param result undefined: it cannot be kept */
  finished(result: Result | undefined): void;
  failed(): void;
}

/** The calls that wait for one execution. */
export class WaitingCalls<C> {
  readonly #calls = new Set<C>();

  add(call: C): void {
    this.#calls.add(call);
  }

  /** A call gave up. @returns whether it was the last one, so that the execution ends */
  gaveUp(call: C): boolean {
    return this.#calls.delete(call) && this.#calls.size === 0;
  }

  /** Takes all calls, in order: the execution is over. */
  takeAll(): C[] {
    const calls = [...this.#calls];
    this.#calls.clear();
    return calls;
  }

  [Symbol.iterator](): Iterator<C> {
    return this.#calls.values();
  }
}

/**
 * The executions of calls with idempotency keys, for one deployment and one calling thread: while one runs, other calls of the
 * same method, tenant and key wait for it, and afterwards they get its result for as long as it is kept.
 */
export abstract class KeyedRuns<
  C extends CallWithKey,
  Run extends KeyedRun<C>,
  Result extends { readonly bytes: number },
> {
  readonly #counters: Counters;
  readonly #running = new Map<string, Run>();
  readonly #kept = new ResultCache<Result>();

  /** @param counters counts the calls that do not run */
  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** Takes a call whose arguments are captured. */
  take(call: C, key: string): void {
    const { args: value, marks } = call;
    const refuse = (cause: unknown): void => call.reject(unknownArguments(call, cause));
    try {
      const fingerprint = digest({ value, marks });
      if (typeof fingerprint === 'string') this.#find(call, key, fingerprint);
      // The captured arguments are not shared and are not sent before this point.
      else fingerprint.then((late) => call.isSettled || this.#find(call, key, late), refuse);
    } catch (cause) {
      refuse(cause);
    }
  }

  /** Makes the execution of the first call under a key. */
  protected abstract create(call: C, key: string, fingerprint: string, listener: RunListener<Result>): Run;

  /** Sends an execution to a replica; the calls that wait for it have their own deadlines. */
  protected abstract send(run: Run): void;

  /** Answers a call with a result that was kept. */
  protected abstract replay(call: C, result: Result): void;

  #find(call: C, key: string, fingerprint: string): void {
    const id = JSON.stringify([call.method, call.tenant, key]);
    const running = this.#running.get(id);
    const kept = running === undefined ? this.#kept.get(id, now()) : undefined;
    const known = running ?? kept;
    if (known !== undefined && known.fingerprint !== fingerprint) {
      call.reject(keyReused(call, key));
    } else if (running !== undefined) {
      this.#counters.add('coalesced');
      running.join(call);
    } else if (kept !== undefined) {
      this.#counters.add('replayed');
      this.replay(call, kept.result);
    } else {
      this.#start(call, key, id, fingerprint);
    }
  }

  #start(call: C, key: string, id: string, fingerprint: string): void {
    const run = this.create(call, key, fingerprint, {
      finished: (result) => {
        this.#running.delete(id);
        if (result !== undefined) this.#kept.keep(id, { fingerprint, result }, now());
      },
      failed: () => this.#running.delete(id),
    });
    this.#running.set(id, run);
    run.join(call);
    this.send(run);
  }
}

function unknownArguments({ route, method, requestId }: CallWithKey, cause: unknown): ServeError {
  const { app, deployment } = route;
  return new ServeError(
    'SERVE_NOT_SERIALIZABLE',
    `${deployment}.${methodLabel(method)}: the arguments of a call with an idempotencyKey cannot be compared: ${describe(cause)}`,
    { app, deployment, requestId, cause },
  );
}

function keyReused({ route, requestId }: CallWithKey, key: string): ServeError {
  const { app, deployment } = route;
  return new ServeError(
    'SERVE_INVALID_OPTION',
    `handle.options.idempotencyKey: got ${JSON.stringify(key)}, which was used with other arguments; allowed: one key per set of arguments`,
    { app, deployment, requestId, statusCode: KEY_REUSED_STATUS },
  );
}

/** The deadline of an execution, of `clock.now()`: the last of the calls that wait for it cancels it earlier. */
export function deadlineOfRun({ createdAt, route }: Call): number {
  const { requestTimeoutMs } = route.config;
  return requestTimeoutMs === 0 ? 0 : createdAt + requestTimeoutMs;
}

/** The error of a method that answers a call with an idempotency key by a stream. */
export function streamsWithKey(deployment: string, method: string): ServeError {
  const what = `${deployment}.${methodLabel(method)}`;
  const message = `${what}: it streams its result, which an idempotencyKey cannot share`;
  return new ServeError('SERVE_INVALID_OPTION', message);
}
