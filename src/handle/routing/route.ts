import { HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME } from '../../channel/method-names.ts';
import type { DeploymentLoad, QueueLedger } from '../../load/deployment-load.ts';
import { RESERVED } from '../../load/load-table.ts';
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
import type { RouteKeeper } from './route-keeper.ts';
import type { TrafficSplit } from './traffic-split.ts';

/** The routes from which calls were diverted. */
const HOMES = new WeakMap<Call, Route>();

/**
 * The route from one caller thread to one deployment: its replicas, and the calls that wait for them. Only the route
 * picks the replica of a call.
 */
export class Route implements CallOwner {
  /** Name of the app; changes when the deployment moves to another app. */
  app: string;
  /** Name of the deployment; empty while the route only knows the app, whose ingress it leads to. */
  deployment: string;
  /** Prefix of the request ids that this thread makes. */
  readonly callerName: string;
  readonly stats: CallStats = new CallStats((method) => this.#methods.has(method));
  readonly counters: Counters = new Counters();
  config: RouteConfig = UNKNOWN_CONFIG;
  /** The trial that diverts or copies calls of this route. */
  split: TrafficSplit<Route> | undefined = undefined;
  /** Number of times that the route left its replicas for those of another deployment. */
  generation = 0;
  /** Set once the deployment is gone; a new deployment of the same name gets a new route. */
  isGone = false;
  /** Whether calls were diverted to this route. */
  #hasGuests = false;
  /** Error of every call until the deployment is configured again: the deployment failed or is being stopped. */
  #rejection: unknown = undefined;
  /** Methods that any replica has or had. */
  readonly #methods = new Set<string>([HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME]);
  readonly #dispatcher: Dispatcher;
  #flights: SingleFlight | undefined = undefined;
  /** Decisions that are repeated for calls that were made before the configuration was known. */
  #early: Array<() => void> | undefined = undefined;
  #isListed = false;
  /** Undefined while no call waits for the replicas. */
  #listing: PromiseWithResolvers<void> | undefined = undefined;
  readonly #gate: AdmissionControl;
  readonly #keeper: RouteKeeper;

  constructor(
    app: string,
    deployment: string,
    caller: { readonly index: number; readonly name: string },
    gate: AdmissionControl,
    keeper: RouteKeeper,
  ) {
    this.app = app;
    this.deployment = deployment;
    this.callerName = caller.name;
    this.#gate = gate;
    this.#keeper = keeper;
    this.#dispatcher = new Dispatcher(
      this.counters,
      (tenant) => policyOf(this.config.tenants, tenant).weight ?? 1,
      keeper,
    );
  }

  get endpoints(): readonly Endpoint[] {
    return this.#dispatcher.endpoints.all;
  }

  /** Resolves when the route knows the replicas that the deployment has, or has ended; undefined if it knows them. */
  get listed(): Promise<void> | undefined {
    if (this.#isListed) return undefined;
    this.#listing ??= Promise.withResolvers();
    return this.#listing.promise;
  }

  /** The replicas that the deployment has were all added, or none will be. */
  allListed(): void {
    this.#isListed = true;
    this.#listing?.resolve();
    this.#listing = undefined;
  }

  /** Whether the route has replicas and takes calls for them. */
  get isOpen(): boolean {
    return this.#dispatcher.endpoints.all.length > 0 && this.#rejection === undefined;
  }

  /** Number of waiting calls of this thread. */
  get queued(): number {
    return this.#dispatcher.queued;
  }

  /** Free places for which no call waits. */
  get free(): number {
    return this.#dispatcher.free;
  }

  get runs(): RunAccounts {
    return this.#dispatcher.runs;
  }

  /** The shared tables arrived; calls that came before them are charged now. */
  adopt(load: DeploymentLoad, ledger: QueueLedger, config: RouteConfig, sessions?: SessionTable): void {
    const early = this.#early;
    this.#early = undefined;
    // Their order depends on the repeated decisions.
    const waiting = early === undefined ? [] : this.#dispatcher.takeWaiting();
    this.#dispatcher.adopt(load, ledger, sessions);
    this.configure(config);
    for (const decide of early ?? []) decide();
    for (const call of waiting) this.#dispatcher.accept(call, true);
    this.#dispatcher.resume();
  }

  /** Calls `decide` when the configuration becomes known, before calls are sent; never if the deployment does not exist. */
  whenConfigured(decide: () => void): void {
    this.#early ??= [];
    this.#early.push(decide);
  }

  configure(config: RouteConfig): void {
    this.config = config;
    this.#dispatcher.endpoints.version = config.version;
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
    this.#sendGuestsHome();
    return lost;
  }

  /**
   * Sends nothing more to the current replicas. Running calls end there; the links close with their replicas, inline
   * ones after their calls.
   */
  clearEndpoints(): void {
    this.generation++;
    this.#isListed = false;
    for (const { channel } of this.#dispatcher.endpoints.clear())
      if (channel.isInline) channel.close(undefined);
  }

  /** Rejects waiting and new calls. Running calls go on. */
  refuse(error: unknown): void {
    this.#rejection = error;
    this.rejectWaiting(error);
  }

  /** Rejects the calls that wait now; running and new calls go on. */
  rejectWaiting(error: unknown): void {
    for (const call of this.#dispatcher.takeWaiting()) if (!this.#sendHome(call)) call.reject(error);
  }

  /** Rejects new calls; waiting calls are still served. */
  bar(error: unknown): void {
    this.#rejection = error;
  }

  /** Closes every link. */
  close(error: unknown): void {
    this.isGone = true;
    this.refuse(error);
    this.#dispatcher.close();
    for (const endpoint of this.#dispatcher.endpoints.clear()) endpoint.channel.close(error);
    this.allListed();
  }

  /**
   * Accepts a call: from here on it ends exactly once.
   * @param deadlineAt time of `clock.now()`; 0 = none
   */
  begin(call: Call, deadlineAt: number): void {
    wheel.hold();
    if (deadlineAt > 0) wheel.add(call, deadlineAt);
  }

  /** Changes the deadline of a call that does not wait. @param deadlineAt time of `clock.now()`; 0 = none */
  redate(call: Call, deadlineAt: number): void {
    wheel.remove(call);
    call.expiresAt = 0;
    if (deadlineAt > 0) wheel.add(call, deadlineAt);
  }

  /** Admits a call to the instance, once; rejects the call and returns false if it is refused. */
  admit(call: Call): boolean {
    const reason = this.#gate.enter(call);
    if (reason !== undefined) this.#dispatcher.shedding.shed(call, reason);
    return reason === undefined;
  }

  /** Runs a call with an idempotency key, or lets it wait for the execution that runs already. */
  dispatchOnce(call: FlightCall, key: string): void {
    if (!this.admit(call)) return;
    this.#flights ??= new SingleFlight(this);
    this.#flights.take(call, key);
  }

  /** Sends a call to a replica, or lets it wait for a replica. */
  dispatch(call: Call): void {
    if (this.#rejection !== undefined) {
      call.reject(this.#rejection);
      return;
    }
    if (!this.#gate.isOpen && !this.admit(call)) return;
    const other = this.split?.divert(call);
    if (other !== undefined) {
      call.divertTo(other);
      HOMES.set(call, this);
      other.#hasGuests = true;
    }
    (other ?? this).#dispatcher.accept(call);
  }

  /** Sends a call that another instance has accepted, or lets it wait here: a full queue does not refuse it. */
  dispatchAccepted(call: Call): void {
    if (this.#rejection === undefined) this.#dispatcher.accept(call, true);
    else call.reject(this.#rejection);
  }

  /** Reserves a place at each replica that is ready, beyond its limit, when the next one is asked for. */
  *reserveEach(): Generator<Endpoint, void> {
    for (const endpoint of [...this.endpoints])
      if (endpoint.channel.reserveBeyondLimit() === RESERVED.ok) yield endpoint;
  }

  /** Sends a call to a given replica on which a place was reserved. */
  dispatchTo(call: Call, endpoint: Endpoint): void {
    this.#dispatcher.dispatchTo(call, endpoint);
  }

  /** Sends waiting calls while there is room. */
  drain(): void {
    this.#dispatcher.drain();
  }

  /** Tends the route's calls; called periodically by the router while the route is busy. */
  tend(at: number): void {
    this.#dispatcher.tend(at);
  }

  leftQueue(call: Call): void {
    this.#dispatcher.leftQueue(call);
  }

  /** A response failed unobserved. */
  unobserved(error: unknown, call: Call): void {
    this.#keeper.unobserved(error, call);
  }

  isIdempotent(method: string): boolean {
    return this.#dispatcher.retries.isIdempotent(method);
  }

  /** A call lost its replica: sends it again if that is safe and worth it. @param started the call may have run */
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

  /** A sent call was given back before it began: it waits again. */
  returned(call: Call): void {
    if (this.#rejection !== undefined && !HOMES.has(call)) {
      // Another instance, if the call is one of its, may send it elsewhere, since it has not begun.
      call.takenBack();
      call.dequeued(now());
      call.reject(this.#rejection);
      return;
    }
    this.#dispatcher.returned(call);
    this.#sendGuestsHome();
  }

  #sendAgain(call: Call): void {
    if (call.isSettled) return;
    if (this.#rejection !== undefined) {
      call.reject(this.#rejection);
      return;
    }
    this.#dispatcher.sendAgain(call);
    this.#sendGuestsHome();
  }

  /** Calls that were diverted here and wait go back to their routes, if no replica takes them; the others wait on. */
  #sendGuestsHome(): void {
    if (!this.#hasGuests || this.isOpen) return;
    for (const call of this.#dispatcher.takeWaiting())
      if (!this.#sendHome(call)) this.#dispatcher.accept(call, true);
  }

  /** Sends a call that does not wait any more to the route from which it was diverted. @returns false: there is none */
  #sendHome(call: Call): boolean {
    const home = HOMES.get(call);
    if (home === undefined || home.isGone) return false;
    HOMES.delete(call);
    call.divertTo(home);
    home.dispatchAccepted(call);
    return true;
  }

  /** A call of this route has settled. */
  settled(call: Call, outcome: Outcome, before: CallState, at: number): void {
    this.#dispatcher.settled(call, outcome, before, at);
    if (call.entry === ADMISSION.charged) this.#gate.leave(call);
    if (call.entry !== ADMISSION.inside) {
      this.stats.record(call.method, outcome, at - call.createdAt, call.queuedMs);
    }
  }

  /** The first chunk counts as the answer of a stream, whose duration says nothing about the replica's latency. */
  streamed(call: Call, at: number): void {
    if (activeTime.spansPause(call.sentAt, at)) return;
    this.#dispatcher.endpoints.answered(call, 'ok', at);
    this.runs.answered(call, at);
  }
}
