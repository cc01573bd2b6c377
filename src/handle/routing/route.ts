import { HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME } from '../../channel/method-names.ts';
import type { DeploymentLoad, QueueLedger } from '../../load/deployment-load.ts';
import type { SessionTable } from '../../load/session-table.ts';
import { batchTime, now, time } from '../../time/clock.ts';
import { wheel } from '../../time/timer-wheel.ts';
import type { Call, CallOwner } from '../call/call.ts';
import { CALL_STATE, type CallState } from '../call/call-progress.ts';
import { CallStats, type Outcome } from '../call/call-stats.ts';
import { Counters } from '../call/counters.ts';
import { type RouteConfig, UNKNOWN_CONFIG } from '../call/route-config.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import { EndpointSet } from '../endpoints/endpoint-set.ts';
import { ModelAffinity } from '../endpoints/model-affinity.ts';
import { Recall } from '../endpoints/recall.ts';
import { Retries } from '../policies/retries.ts';
import { RunAccounts } from '../policies/run-accounts.ts';
import { Shedding } from '../policies/shedding.ts';
import { type FlightCall, SingleFlight } from '../policies/single-flight.ts';
import { ADMISSION, type AdmissionControl } from '../queue/admission-control.ts';
import { SharedWaitQueue } from '../queue/shared-wait-queue.ts';
import { policyOf } from '../queue/tenants.ts';
import { WaitQueue } from '../queue/wait-queue.ts';
import { type LostCall, lostCalls } from './lost-calls.ts';
import type { RouteHooks, TendedRoute } from './route-hooks.ts';
import type { TrafficSplit } from './traffic-split.ts';

/**
 * The way from one caller thread to one deployment: its replicas, and the calls that wait for them. It picks the replica
 * for every call; nothing else does.
 */
export class Route implements CallOwner, TendedRoute {
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
  /** `tend` is called every so often. */
  isTended = false;
  /** How often its replicas were given up for those of another deployment. */
  retirements = 0;
  /** The deployment is gone; another one of its name would have a new route. */
  isGone = false;
  /** Makes every call fail until the deployment is configured again: it failed, or is being stopped. */
  #rejection: unknown = undefined;
  readonly #sharedQueue: SharedWaitQueue;
  readonly #shedding: Shedding;
  readonly #endpoints = new EndpointSet();
  readonly #queue = new WaitQueue<Call>((tenant) => policyOf(this.config.tenants, tenant).weight ?? 1, {
    setAside: (call) => this.#sharedQueue.setAside(call),
    putBack: (call) => this.#sharedQueue.putBack(call),
  });
  /** Undefined until a call names a model. */
  #models: ModelAffinity | undefined = undefined;
  #isDraining = false;
  /** Methods that a replica has, or had. */
  readonly #methods = new Set<string>([HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME]);
  /** @internal */
  readonly runs: RunAccounts = new RunAccounts(this.#queue);
  readonly #retries = new Retries(this.counters, this.runs.times, (call, except, at) =>
    this.#reserve(call, at, except),
  );
  #flights: SingleFlight | undefined = undefined;
  readonly #recall = new Recall(this.#endpoints);
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
    this.#sharedQueue = new SharedWaitQueue();
    this.#shedding = new Shedding(this.counters, this.#sharedQueue);
    this.#gate = gate;
    this.#hooks = hooks;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints.all;
  }

  /** Whether it has replicas, and takes calls for them. */
  get isOpen(): boolean {
    return this.#endpoints.all.length > 0 && this.#rejection === undefined;
  }

  /** Calls of this thread that wait. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Free places that nobody waits for. */
  get free(): number {
    return Math.max(0, this.#endpoints.places() - this.#sharedQueue.queued);
  }

  /** Whether it has to be tended. */
  get isBusy(): boolean {
    return this.#queue.size > 0 || this.#endpoints.hasOutstanding;
  }

  /** The shared tables arrived; calls that came before them are charged now. */
  adopt(load: DeploymentLoad, ledger: QueueLedger, config: RouteConfig, sessions?: SessionTable): void {
    this.#queue.showEverything();
    this.#sharedQueue.adopt(load, ledger, this.#queue);
    this.#retries.adopt(load);
    if (sessions !== undefined) this.#endpoints.sessions.adopt(sessions);
    this.configure(config);
    if (this.#queue.size > 0) this.#sharedQueue.arm(this.#look);
  }

  configure(config: RouteConfig): void {
    this.config = config;
    this.#retries.configure(config);
    this.runs.isLearning ||= config.hedge !== undefined;
    this.#rejection = undefined;
  }

  add(endpoint: Endpoint): void {
    this.#endpoints.add(endpoint);
    for (const method of endpoint.channel.methods.keys()) this.#methods.add(method);
    endpoint.channel.onFreed(() => {
      if (this.#queue.size > 0) this.drain();
      else if (this.#recall.isDue(batchTime)) this.#rebalance(batchTime);
    });
    this.drain();
  }

  /** @returns the calls of this thread that the replica ran */
  remove(replicaId: string, error: unknown): readonly LostCall[] {
    const channel = this.#endpoints.remove(replicaId)?.channel;
    const lost = channel === undefined ? [] : lostCalls(channel);
    channel?.close(error);
    // Calls that waited for its models may go elsewhere.
    if (this.#queue.aside > 0) this.drain();
    return lost;
  }

  /** Sends nothing more to its replicas. Calls that run end there; the links close with their replicas, inline ones after their calls. */
  retire(): void {
    this.retirements++;
    for (const { channel } of this.#endpoints.clear()) if (channel.isInline) channel.close(undefined);
  }

  /** Rejects what waits and what comes. Calls that run go on. */
  refuse(error: unknown): void {
    this.#rejection = error;
    const waiting = this.#queue.drain();
    const at = now();
    for (const call of waiting) {
      this.#sharedQueue.leave(call);
      call.dequeued(at);
    }
    for (const call of waiting) call.reject(error);
  }

  /** Rejects what comes; what waits is still served. */
  bar(error: unknown): void {
    this.#rejection = error;
  }

  /** Closes every link. */
  close(error: unknown): void {
    this.isGone = true;
    this.refuse(error);
    this.#sharedQueue.close();
    for (const endpoint of this.#endpoints.clear()) endpoint.channel.close(error);
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
    if (reason !== undefined) this.#shedding.shed(call, reason);
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
    (other ?? this).#accept(call);
  }

  /** Sends a call that was let in. */
  #accept(call: Call): void {
    if (call.readyAt >= this.#endpoints.dueAt) this.#endpoints.look(call.readyAt);
    // What waits for its model alone lets others pass once it is sure that none of it has a place.
    if (this.#queue.aside > 0) this.drain();
    const isFirst = this.#queue.size === this.#queue.aside;
    if (isFirst && this.#sharedQueue.mayPass(call)) {
      const endpoint = this.#reserve(call, call.readyAt);
      if (endpoint !== undefined) {
        this.#send(call, endpoint, call.readyAt);
        return;
      }
    }
    this.#enqueue(call, false);
    if (isFirst && this.#queue.peek() === call)
      this.#models?.stepAside(call, this.#endpoints.inService, call.queuedAt);
  }

  /** Sends a call to a given replica on which a place was reserved. */
  dispatchTo(call: Call, endpoint: Endpoint): void {
    call.pin();
    this.#send(call, endpoint, call.readyAt);
  }

  /** Sends waiting calls as long as there is room. */
  drain(): void {
    // An inline call may end, and free its place, while it is being sent.
    if (this.#isDraining) return;
    this.#isDraining = true;
    // Calls that stepped aside may have a place once others are gone.
    while (this.#sendWaiting() && this.#queue.aside > 0);
    this.#isDraining = false;
    this.#models?.drained();
  }

  /** @returns whether a call was sent */
  #sendWaiting(): boolean {
    const at = now();
    let hasSent = false;
    if (this.#queue.aside > 0) this.#models?.show(this.#endpoints.inService, at);
    let call = this.#queue.peek();
    while (call !== undefined) {
      if (this.runs.isDoomed(call, at)) {
        call.dequeued(at);
        this.leftQueue(call);
        this.#shedding.shed(call, 'doomed');
      } else {
        const endpoint = this.#sharedQueue.isTurnOf(call, at) ? this.#reserve(call, at) : undefined;
        if (endpoint === undefined) {
          if (this.#models?.stepAside(call, this.#endpoints.inService, at) !== true) break;
        } else {
          this.#queue.shift();
          this.#sharedQueue.leave(call);
          call.dequeued(at);
          this.runs.began(call, at);
          this.#send(call, endpoint, at);
          hasSent = true;
        }
      }
      call = this.#queue.peek();
    }
    this.#sharedQueue.moved(call);
    return hasSent;
  }

  /** Called every so often while it is busy: the net under a lost wake-up, and the guard of the old waiters. */
  tend(at: number): void {
    this.#requeue(this.#recall.held(at));
    this.#shedding.sample(this.#endpoints.takeServed(), at);
    this.#endpoints.look(at);
    this.drain();
    this.#sharedQueue.tend(at);
  }

  /** A call that does not wait any more leaves the queue. */
  leftQueue(call: Call): void {
    this.#queue.forget(call);
    this.#sharedQueue.leave(call);
    this.#sharedQueue.moved(this.#queue.peek());
  }

  /** A response failed and nobody looked at it. */
  unobserved(error: unknown, call: Call): void {
    this.#hooks.onUnobserved(error, call);
  }

  isIdempotent(method: string): boolean {
    return this.#retries.isIdempotent(method);
  }

  /** A call lost its replica: sends it again if that is safe and worth it. @param started it may have run */
  recover(call: Call, started: boolean): boolean {
    if (this.#rejection !== undefined) return false;
    const pause = this.#retries.pauseBeforeRetry(call, started, now());
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
    this.#enqueue(call, true);
    this.drain();
  }

  /** @internal Bookkeeping of `Call`. */
  settled(call: Call, outcome: Outcome, before: CallState, at: number): void {
    this.#endpoints.settled(call, before === CALL_STATE.sent, outcome, at);
    this.runs.settled(call, outcome, before, at);
    this.#models?.settled(call, outcome, at);
    if (call.entry === ADMISSION.charged) this.#gate.leave(call);
    if (call.entry !== ADMISSION.inside) this.stats.record(call.method, outcome, at - call.createdAt);
  }

  /** @internal The first chunk of a stream is its answer: for how long a stream lasts is another matter. */
  streamed(call: Call, at: number): void {
    this.#endpoints.answered(call, 'ok', at);
    this.runs.answered(call, at);
  }

  #send(call: Call, endpoint: Endpoint, at: number): void {
    call.sentTo(endpoint, at);
    if (this.#retries.isWatchful) this.#retries.watch(call, endpoint);
    this.#recall.sent(call);
    if (!this.isTended) this.#hooks.onBusy(this);
    endpoint.channel.send(call);
    call.onSent();
  }

  /** Calls that were sent and have not begun wait here again: elsewhere there is room, or a more important one came. */
  #requeue(calls: Iterable<Call>): void {
    for (const call of calls) {
      call.takenBack();
      this.#models?.takenBack(call);
      this.#sharedQueue.enter(call, true, this.#endpoints.places);
      this.#queue.push(call);
    }
    if (this.#queue.size > 0) this.#sharedQueue.arm(this.#look);
  }

  /** A replica has room and nothing waits here: it takes over what waits behind a long call at another one. */
  #rebalance(at: number): void {
    this.#requeue(this.#recall.held(at));
    if (this.#queue.size > 0) this.drain();
  }

  #enqueue(call: Call, accepted: boolean): void {
    call.queued(now());
    if (!this.#sharedQueue.enter(call, accepted, this.#endpoints.places) && !this.#displace(call)) {
      call.dequeued(call.queuedAt);
      this.#shedding.shed(call, 'queue_full');
      return;
    }
    this.runs.isLearning = true;
    if (this.#endpoints.all[0]?.channel.isInline !== false) call.keepOrigin();
    this.#queue.push(call);
    if (!this.isTended) this.#hooks.onBusy(this);
    if (this.#recall.mayPrecede(call)) this.#requeue(this.#recall.below(call));
    this.#sharedQueue.arm(this.#look);
  }

  readonly #look = (): boolean => {
    this.drain();
    return this.#queue.size > 0;
  };

  /** The queue is full: a call of this thread that has less of a claim gives its place up, if there is one. */
  #displace(newcomer: Call): boolean {
    const victim = this.#queue.victimFor(newcomer);
    if (victim === undefined) return false;
    victim.dequeued(newcomer.queuedAt);
    this.#queue.forget(victim);
    this.#sharedQueue.replace(victim, newcomer);
    this.#shedding.shed(victim, 'displaced');
    return true;
  }

  #reserve(call: Call, at: number, except?: Endpoint): Endpoint | undefined {
    if (call.modelKey !== undefined) this.#models ??= new ModelAffinity(this.#queue, this.#sharedQueue);
    return this.#endpoints.reserve(call, at, except, this.#models);
  }
}
