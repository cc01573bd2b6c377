import { CANCEL_CODE } from '../../channel/frames.ts';
import { beginBatch } from '../../time/clock.ts';
import { Call, type CallOwner } from '../call/call.ts';
import { UNKNOWN_CONFIG } from '../call/route-config.ts';
import { ADMISSION } from '../queue/admission-control.ts';
import {
  deadlineOfRun,
  type KeyedRun,
  KeyedRuns,
  type RunListener,
  streamsWithKey,
  WaitingCalls,
} from './keyed-runs.ts';
import { type SharedResult, shareError, shareResult } from './result-cache.ts';

/** A call with an idempotency key, which is never sent itself but waits for the one execution under its key. */
export interface FlightCall extends Call {
  /** Makes the call wait for this execution. */
  waitFor(run: SharedRun): void;
}

/** The route that the calls take. */
export interface FlightRoute extends CallOwner {
  begin(call: Call, deadlineAt: number): void;
  redate(call: Call, deadlineAt: number): void;
  whenConfigured(decide: () => void): void;
  dispatch(call: Call): void;
}

/** The one execution under a key, which lives while calls wait for it. */
export class SharedRun extends Call implements KeyedRun<FlightCall> {
  readonly fingerprint: string;
  readonly #waiting = new WaitingCalls<FlightCall>();
  readonly #listener: RunListener<SharedResult>;

  /** @param model the first call under the key, which is sent */
  constructor(model: FlightCall, key: string, fingerprint: string, listener: RunListener<SharedResult>) {
    super(model.route, model.method);
    this.fingerprint = fingerprint;
    this.#listener = listener;
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
    if (this.#waiting.gaveUp(call)) this.cancel('all waiting callers gave up');
  }

  protected override onResult(value: unknown): void {
    const waiting = this.#waiting.takeAll();
    const others = shareResult(value, this.route.config.isByReference, waiting.length > 1);
    this.#listener.finished(others);
    for (const [index, call] of waiting.entries())
      call.succeeded(index === 0 || others === undefined ? value : others.copy());
  }

  protected override onError(error: unknown): void {
    this.#listener.failed();
    const others = shareError(error, this.route.config.isByReference);
    for (const [index, call] of this.#waiting.takeAll().entries())
      call.reject(index === 0 ? error : others());
  }

  protected override onOpen(): void {
    const error = streamsWithKey(this.route.deployment, this.method);
    this.cancelAs('error', error, CANCEL_CODE.cancelled);
  }

  protected override onChunk(): void {}
  protected override onEnd(): void {}
}

/** The calls to one deployment with an idempotency key that are made on this thread. */
export class SingleFlight extends KeyedRuns<FlightCall, SharedRun, SharedResult> {
  readonly #route: FlightRoute;

  constructor(route: FlightRoute) {
    super(route.counters);
    this.#route = route;
  }

  protected override create(
    call: FlightCall,
    key: string,
    fingerprint: string,
    listener: RunListener<SharedResult>,
  ): SharedRun {
    return new SharedRun(call, key, fingerprint, listener);
  }

  protected override send(run: SharedRun): void {
    const route = this.#route;
    route.begin(run, deadlineOfRun(run));
    if (route.config === UNKNOWN_CONFIG) this.#decideLater(run);
    route.dispatch(run);
  }

  protected override replay(call: FlightCall, result: SharedResult): void {
    beginBatch();
    call.succeeded(result.copy());
  }

  /** The thread calls the deployment for the first time, and does not know its timeout and priority yet. */
  #decideLater(run: SharedRun): void {
    this.#route.whenConfigured(() => {
      if (run.isSettled) return;
      run.priorityRank = run.meta?.priority ?? this.#route.config.priorityRank;
      this.#route.redate(run, deadlineOfRun(run));
    });
  }
}
