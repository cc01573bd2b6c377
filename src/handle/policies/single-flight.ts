import { CANCEL_CODE } from '../../channel/frames.ts';
import { beginBatch } from '../../time/clock.ts';
import { Call, type CallOwner } from '../call/call.ts';
import type { Counters } from '../call/counters.ts';
import { ADMISSION } from '../queue/admission-control.ts';
import { KeyedRuns, streamsWithKey } from './keyed-runs.ts';
import { type SharedResult, shareError, shareResult } from './result-cache.ts';

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
    key: string,
    fingerprint: string,
    onEnded: (result: unknown) => SharedResult | undefined,
    onFailed: () => void,
  ) {
    super(model.route, model.method);
    this.fingerprint = fingerprint;
    this.#onEnded = onEnded;
    this.#onFailed = onFailed;
    const { args, marks, transfer, bytes, priorityRank, preferLocal, requestId } = model;
    Object.assign(this, { args, marks, transfer, bytes, priorityRank, preferLocal });
    // An instance that runs the call lets calls of others with the key wait for it.
    this.meta = { ...model.meta, requestId, idempotencyKey: key };
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
    const error = streamsWithKey(this.route.deployment, this.method);
    this.cancelAs('error', error, CANCEL_CODE.cancelled);
  }

  protected override onChunk(): void {}
  protected override onEnd(): void {}

  #takeWaiting(): FlightCall[] {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    return waiting;
  }
}

/** The calls to one deployment with an idempotency key that are made on this thread. */
export class SingleFlight extends KeyedRuns<FlightCall, SharedRun, SharedResult> {
  readonly #route: FlightRoute;

  constructor(route: FlightRoute) {
    super();
    this.#route = route;
  }

  protected override get counters(): Counters {
    return this.#route.counters;
  }

  protected override join(call: FlightCall, run: SharedRun): void {
    run.join(call);
  }

  protected override replay(call: FlightCall, result: SharedResult): void {
    beginBatch();
    call.succeeded(result.copy());
  }

  protected override start(call: FlightCall, key: string, id: string, fingerprint: string): void {
    const route = this.#route;
    const { requestTimeoutMs, isByReference } = route.config;
    const run: SharedRun = new SharedRun(
      call,
      key,
      fingerprint,
      (value) => {
        const result = shareResult(value, isByReference);
        this.finished(id, run, result);
        return result;
      },
      () => this.failed(id),
    );
    this.started(id, run);
    run.join(call);
    // The waiting calls have their own deadlines, and the last of them cancels the execution.
    route.begin(run, requestTimeoutMs === 0 ? 0 : run.createdAt + requestTimeoutMs);
    route.dispatch(run);
  }
}
