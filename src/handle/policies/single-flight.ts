import { CANCEL_CODE } from '../../channel/frames.ts';
import { methodLabel } from '../../channel/method-names.ts';
import { ServeError } from '../../errors.ts';
import { beginBatch, now } from '../../time/clock.ts';
import { describe } from '../../values/describe-value.ts';
import { digest } from '../../values/digest.ts';
import { Call, type CallOwner } from '../call/call.ts';
import { ADMISSION } from '../queue/admission-control.ts';
import { ResultCache, type SharedResult, shareError, shareResult } from './result-cache.ts';

/** HTTP status of Stripe and the IETF draft for a key that is reused with another request. */
const KEY_REUSED_STATUS = 422;

/** A call with an idempotency key, which is never sent itself but waits for the one execution under its key. */
export interface FlightCall extends Call {
  /** Makes the call wait for this execution. */
  waitFor(run: SharedRun): void;
}

/** The route that the calls take. */
export interface FlightRoute extends CallOwner {
  begin(call: Call, deadlineAt: number): void;
  dispatch(call: Call): void;
}

/** The one execution under a key, which lives while calls wait for it. */
export class SharedRun extends Call {
  readonly fingerprint: string;
  readonly #waiting = new Set<FlightCall>();
  readonly #onEnded: (result: unknown) => SharedResult | undefined;
  readonly #onFailed: () => void;

  /**
   * @param model the first call under the key, which is sent
   * @param onEnded caches the result, and returns the result for the waiting calls
   */
  constructor(
    model: FlightCall,
    fingerprint: string,
    onEnded: (result: unknown) => SharedResult | undefined,
    onFailed: () => void,
  ) {
    super(model.route, model.method);
    this.fingerprint = fingerprint;
    this.#onEnded = onEnded;
    this.#onFailed = onFailed;
    const { args, marks, transfer, bytes, priorityRank, requestId } = model;
    Object.assign(this, { args, marks, transfer, bytes, priorityRank });
    this.meta = { ...model.meta, requestId };
    // The waiting calls pass admission control and are counted, not this execution.
    this.entered(ADMISSION.inside);
  }

  join(call: FlightCall): void {
    call.waitFor(this);
    this.#waiting.add(call);
  }

  /** A waiting call gave up; the last one cancels the execution. */
  left(call: FlightCall): void {
    if (this.#waiting.delete(call) && this.#waiting.size === 0) this.cancel('all waiting callers gave up');
  }

  protected override onResult(value: unknown): void {
    const waiting = this.#takeWaiting();
    const others = this.#onEnded(value);
    for (const [index, call] of waiting.entries())
      call.succeeded(index === 0 || others === undefined ? value : others.copy());
  }

  protected override onError(error: unknown): void {
    this.#onFailed();
    const others = shareError(error, this.route.config.isByReference);
    for (const [index, call] of this.#takeWaiting().entries()) call.reject(index === 0 ? error : others());
  }

  protected override onOpen(): void {
    const what = `${this.route.deployment}.${methodLabel(this.method)}`;
    const message = `${what}: it streams its result, which an idempotencyKey cannot share`;
    this.cancelAs('error', new ServeError('SERVE_INVALID_OPTION', message), CANCEL_CODE.cancelled);
  }

  protected override onChunk(): void {}
  protected override onEnd(): void {}

  #takeWaiting(): FlightCall[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    return waiting;
  }
}

/**
 * Calls to one deployment with an idempotency key: while one runs, others of the same method, tenant and key get its
 * result instead of running; a kept result is given again. For one calling thread.
 */
export class SingleFlight {
  readonly #route: FlightRoute;
  readonly #running = new Map<string, SharedRun>();
  readonly #kept = new ResultCache();

  constructor(route: FlightRoute) {
    this.#route = route;
  }

  /** Takes a call whose arguments are captured. */
  join(call: FlightCall, key: string): void {
    const { args: value, marks } = call;
    const refuse = (cause: unknown): void => call.reject(unknownArguments(call, cause));
    try {
      const fingerprint = digest({ value, marks });
      if (typeof fingerprint === 'string') this.#join(call, key, fingerprint);
      // The captured arguments are not shared and are not sent before this point.
      else fingerprint.then((late) => call.isSettled || this.#join(call, key, late), refuse);
    } catch (cause) {
      refuse(cause);
    }
  }

  #join(call: FlightCall, key: string, fingerprint: string): void {
    const id = JSON.stringify([call.method, call.tenant, key]);
    const running = this.#running.get(id);
    const kept = running === undefined ? this.#kept.get(id, now()) : undefined;
    const known = running ?? kept;
    if (known !== undefined && known.fingerprint !== fingerprint) {
      call.reject(keyReused(call, key));
    } else if (running !== undefined) {
      this.#route.counters.add('coalesced');
      running.join(call);
    } else if (kept !== undefined) {
      this.#route.counters.add('replayed');
      beginBatch();
      call.succeeded(kept.result.copy());
    } else {
      this.#start(call, id, fingerprint);
    }
  }

  #start(call: FlightCall, id: string, fingerprint: string): void {
    const route = this.#route;
    const { requestTimeoutMs, isByReference } = route.config;
    const run = new SharedRun(
      call,
      fingerprint,
      (value) => {
        this.#running.delete(id);
        const result = shareResult(value, isByReference);
        if (result !== undefined) this.#kept.keep(id, { fingerprint, result }, now());
        return result;
      },
      () => this.#running.delete(id),
    );
    this.#running.set(id, run);
    run.join(call);
    // The waiting calls have their own deadlines, and the last of them cancels the execution.
    route.begin(run, requestTimeoutMs === 0 ? 0 : run.createdAt + requestTimeoutMs);
    route.dispatch(run);
  }
}

function unknownArguments(call: Call, cause: unknown): ServeError {
  const { app, deployment } = call.route;
  return new ServeError(
    'SERVE_NOT_SERIALIZABLE',
    `${deployment}.${methodLabel(call.method)}: the arguments of a call with an idempotencyKey cannot be compared: ${describe(cause)}`,
    { app, deployment, requestId: call.requestId, cause },
  );
}

function keyReused(call: Call, key: string): ServeError {
  const { app, deployment } = call.route;
  return new ServeError(
    'SERVE_INVALID_OPTION',
    `handle.options.idempotencyKey: got ${JSON.stringify(key)}, which was used with other arguments; allowed: one key per set of arguments`,
    { app, deployment, requestId: call.requestId, statusCode: KEY_REUSED_STATUS },
  );
}
