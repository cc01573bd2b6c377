import { HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME } from '../../channel/method-names.ts';
import type { DeploymentLoad, QueueLedger } from '../../load/deployment-load.ts';
import type { SessionTable } from '../../load/session-table.ts';
import { activeTime } from '../../time/active-time.ts';
import { now, time } from '../../time/clock.ts';
import { wheel } from '../../time/timer-wheel.ts';
import type { Call, CallOwner } from '../call/call.ts';
import type { CallState } from '../call/call-progress.ts';
import { CallStats, type Outcome } from '../call/call-stats.ts';
import { Counters } from '../call/counters.ts';
import { type RouteConfig, UNKNOWN_CONFIG } from '../call/route-config.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { RunAccounts } from '../policies/run-accounts.ts';
import { type FlightCall, SingleFlight } from '../policies/single-flight.ts';
import { ADMISSION, type AdmissionControl } from '../queue/admission-control.ts';
import { policyOf } from '../queue/tenants.ts';
import { Dispatcher } from './dispatcher.ts';
import { type LostCall, lostCalls } from './lost-calls.ts';
import type { RouteHooks } from './route-hooks.ts';
import type { TrafficSplit } from './traffic-split.ts';

/**
 * The way from one caller thread to one deployment: its replicas, and the calls that wait for them. Nothing else
 * picks the replica of a call.
 */
export class Route implements CallOwner {
  /** Another one once the deployment has become a part of another app. */
  app: string;
  /** Empty while only the app is known: its ingress. */
  deployment: string;
  /** Prefix of the request ids that this thread makes. */
  readonly callerName: string;
  readonly stats: CallStats = new CallStats((method) => this.#methods.has(method));
  readonly counters: Counters = new Counters();
  config: RouteConfig = UNKNOWN_CONFIG;
  /** Where calls go besides, or instead. */
  detour: TrafficSplit<Route> | undefined = undefined;
  /** How often its replicas were given up for those of another deployment. */
  retirements = 0;
  /** The deployment is gone; another one of its name would have a new route. */
  isGone = false;
  /** Makes every call fail until the deployment is configured again: it failed, or is being stopped. */
  #rejection: unknown = undefined;
  /** Methods that a replica has, or had. */
  readonly #methods = new Set<string>([HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME]);
  readonly #dispatcher: Dispatcher;
  #flights: SingleFlight | undefined = undefined;
  readonly #gate: AdmissionControl;
  readonly #hooks: RouteHooks;

  constructor(
    app: string,
    deployment: string,
    caller: { readonly index: number; readonly name: string },
    gate: AdmissionControl,
    hooks: RouteHooks,
  ) {
    this.app = app;
    this.deployment = deployment;
    this.callerName = caller.name;
    this.#gate = gate;
    this.#hooks = hooks;
    this.#dispatcher = new Dispatcher(
      this.counters,
      (tenant) => policyOf(this.config.tenants, tenant).weight ?? 1,
      (busy) => hooks.onBusy(busy),
    );
  }

  get endpoints(): readonly Endpoint[] {
    return this.#dispatcher.endpoints.all;
  }

  /** Whether it has replicas, and takes calls for them. */
  get isOpen(): boolean {
    return this.#dispatcher.endpoints.all.length > 0 && this.#rejection === undefined;
  }

  /** Calls of this thread that wait. */
  get queued(): number {
    return this.#dispatcher.queued;
  }

  /** Free places that nobody waits for. */
  get free(): number {
    return this.#dispatcher.free;
  }

  /** @internal */
  get runs(): RunAccounts {
    return this.#dispatcher.runs;
  }

  /** The shared tables arrived; calls that came before them are charged now. */
  adopt(load: DeploymentLoad, ledger: QueueLedger, config: RouteConfig, sessions?: SessionTable): void {
    this.#dispatcher.adopt(load, ledger, sessions);
    this.configure(config);
    this.#dispatcher.resume();
  }

  configure(config: RouteConfig): void {
    this.config = config;
    this.#dispatcher.retries.configure(config);
    this.runs.isLearning ||= config.hedge !== undefined;
    this.#rejection = undefined;
  }

  add(endpoint: Endpoint): void {
    for (const method of endpoint.channel.methods.keys()) this.#methods.add(method);
    this.#dispatcher.add(endpoint);
  }

  /** @returns the calls of this thread that the replica ran */
  remove(replicaId: string, error: unknown): readonly LostCall[] {
    const channel = this.#dispatcher.endpoints.remove(replicaId)?.channel;
    const lost = channel === undefined ? [] : lostCalls(channel);
    channel?.close(error);
    this.#dispatcher.removed();
    return lost;
  }

  /** Sends nothing more to its replicas. Calls that run end there; the links close with their replicas, inline ones after their calls. */
  retire(): void {
    this.retirements++;
    for (const { channel } of this.#dispatcher.endpoints.clear())
      if (channel.isInline) channel.close(undefined);
  }

  /** Rejects what waits and what comes. Calls that run go on. */
  refuse(error: unknown): void {
    this.#rejection = error;
    for (const call of this.#dispatcher.takeWaiting()) call.reject(error);
  }

  /** Rejects what comes; what waits is still served. */
  bar(error: unknown): void {
    this.#rejection = error;
  }

  /** Closes every link. */
  close(error: unknown): void {
    this.isGone = true;
    this.refuse(error);
    this.#dispatcher.close();
    for (const endpoint of this.#dispatcher.endpoints.clear()) endpoint.channel.close(error);
  }

  /**
   * Accepts a call: from here on it ends exactly once.
   * @param deadlineAt time of `clock.now()`; 0 = none
   */
  begin(call: Call, deadlineAt: number): void {
    wheel.hold();
    if (deadlineAt > 0) wheel.add(call, deadlineAt);
  }

  /** Lets a call into the instance, once; rejects it and answers false if it may not enter. */
  admit(call: Call): boolean {
    const reason = this.#gate.enter(call);
    if (reason !== undefined) this.#dispatcher.shedding.shed(call, reason);
    return reason === undefined;
  }

  /** Lets a call with an idempotency key run, or wait for the one that does already. */
  dispatchOnce(call: FlightCall, key: string): void {
    if (!this.admit(call)) return;
    this.#flights ??= new SingleFlight(this);
    this.#flights.join(call, key);
  }

  /** Sends a call to a replica, or lets it wait for one. */
  dispatch(call: Call): void {
    if (this.#rejection !== undefined) {
      call.reject(this.#rejection);
      return;
    }
    if (!this.#gate.isOpen && !this.admit(call)) return;
    const other = this.detour?.divert(call);
    if (other !== undefined) call.divertTo(other);
    (other ?? this).#dispatcher.accept(call);
  }

  /** Sends a call to a given replica on which a place was reserved. */
  dispatchTo(call: Call, endpoint: Endpoint): void {
    this.#dispatcher.dispatchTo(call, endpoint);
  }

  /** Sends waiting calls as long as there is room. */
  drain(): void {
    this.#dispatcher.drain();
  }

  /** Looks after its calls; the router does so every so often while there are any. */
  tend(at: number): void {
    this.#dispatcher.tend(at);
  }

  leftQueue(call: Call): void {
    this.#dispatcher.leftQueue(call);
  }

  /** A response failed and nobody looked at it. */
  unobserved(error: unknown, call: Call): void {
    this.#hooks.onUnobserved(error, call);
  }

  isIdempotent(method: string): boolean {
    return this.#dispatcher.retries.isIdempotent(method);
  }

  /** A call lost its replica: sends it again if that is safe and worth it. @param started it may have run */
  recover(call: Call, started: boolean): boolean {
    if (this.#rejection !== undefined) return false;
    const pause = this.#dispatcher.retries.pauseBeforeRetry(call, started, now());
    if (pause === undefined) return false;
    if (started) this.runs.ended(call, now());
    call.lostReplica();
    if (pause === 0) this.#sendAgain(call);
    // Not ref'ed: the wheel keeps the process alive while a call is open.
    else time.after(pause, () => this.#sendAgain(call)).unref();
    return true;
  }

  #sendAgain(call: Call): void {
    if (call.isSettled) return;
    if (this.#rejection !== undefined) {
      call.reject(this.#rejection);
      return;
    }
    this.#dispatcher.sendAgain(call);
  }

  /** @internal Bookkeeping of `Call`. */
  settled(call: Call, outcome: Outcome, before: CallState, at: number): void {
    this.#dispatcher.settled(call, outcome, before, at);
    if (call.entry === ADMISSION.charged) this.#gate.leave(call);
    if (call.entry !== ADMISSION.inside) this.stats.record(call.method, outcome, at - call.createdAt);
  }

  /** @internal The first chunk of a stream is its answer: for how long a stream lasts is another matter. */
  streamed(call: Call, at: number): void {
    if (activeTime.spansPause(call.sentAt, at)) return;
    this.#dispatcher.endpoints.answered(call, 'ok', at);
    this.runs.answered(call, at);
  }
}
