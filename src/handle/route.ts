import { ServeError } from '../errors.ts';
import { DeploymentLoad, QueueLedger, RESERVED } from '../pool/load-table.ts';
import { now } from '../time/clock.ts';
import { wheel } from '../time/timer-wheel.ts';
import { CALL_STATE, type Call, type CallState } from './call.ts';
import { CallStats, type Outcome } from './call-stats.ts';
import type { RouteConfig } from './directory.ts';
import type { Endpoint } from './endpoint.ts';
import { WaitQueue } from './wait-queue.ts';

/** A waiter older than this stops newcomers of other threads from barging in. */
const BARRIER_AFTER_MS = 50;
/** Attempts of one call, the first included. */
const MAX_ATTEMPTS = 3;
const DEFAULT_RETRY_AFTER_MS = 1_000;

/** Until the switchboard answers. */
const UNKNOWN_CONFIG: RouteConfig = {
  requestTimeoutMs: 30_000,
  streamIdleTimeoutMs: 60_000,
  streamTimeoutMs: 0,
  priorityRank: 1,
  isByReference: false,
  backpressure: { statusCode: 503, retryAfterMs: 'auto' },
};

/** What the route tells its router. */
export interface RouteHooks {
  /** Calls wait from now on. */
  onQueued(route: Route): void;
  /** The deadline of a call passed at a replica. */
  onExpired(endpoint: Endpoint): void;
  /** A response failed and nobody looked at it. */
  onUnobserved(error: unknown, call: Call): void;
}

/**
 * The way from one caller thread to one deployment: its replicas, and the calls that wait for them. It picks the replica
 * for every call; nothing else does.
 */
export class Route {
  readonly app: string;
  /** Empty while only the app is known: its ingress. */
  deployment: string;
  /** Prefix of the request ids that this thread makes. */
  readonly callerName: string;
  readonly stats: CallStats = new CallStats();
  config: RouteConfig = UNKNOWN_CONFIG;
  /** The deployment is gone; another one of its name would have a new route. */
  isGone = false;
  /** Makes every call fail until the deployment is configured again: it failed, or is being stopped. */
  #rejection: unknown = undefined;
  #load = new DeploymentLoad();
  #ledger = new QueueLedger();
  readonly #caller: number;
  readonly #endpoints: Endpoint[] = [];
  readonly #queue = new WaitQueue<Call>();
  #armed = false;
  #isDraining = false;
  #drainRate = 0;
  #drainedAt = 0;
  readonly #hooks: RouteHooks;

  constructor(
    app: string,
    deployment: string,
    caller: { readonly index: number; readonly name: string },
    hooks: RouteHooks,
  ) {
    this.app = app;
    this.deployment = deployment;
    this.callerName = caller.name;
    this.#caller = caller.index;
    this.#hooks = hooks;
    this.#load.maxQueued = -1;
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** Calls of this thread that wait. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Places that are free now, over all replicas. */
  get free(): number {
    let free = 0;
    for (const endpoint of this.#endpoints) free += endpoint.channel.free;
    return free;
  }

  /** The shared tables arrived; calls that came before them are charged now. */
  adopt(load: DeploymentLoad, ledger: QueueLedger, config: RouteConfig): void {
    for (const call of this.#queue) {
      this.#load.dequeue(call.priorityRank, this.#ledger);
      load.enqueue(call.priorityRank, ledger, true);
    }
    this.#load = load;
    this.#ledger = ledger;
    this.configure(config);
  }

  configure(config: RouteConfig): void {
    this.config = config;
    this.#rejection = undefined;
  }

  add(endpoint: Endpoint): void {
    this.#endpoints.push(endpoint);
    endpoint.channel.onFreed(() => {
      if (this.#queue.size > 0) this.drain();
    });
    this.drain();
  }

  remove(replicaId: string, error: unknown): void {
    const index = this.#endpoints.findIndex((endpoint) => endpoint.replicaId === replicaId);
    const [endpoint] = index === -1 ? [] : this.#endpoints.splice(index, 1);
    endpoint?.channel.close(error);
  }

  /** Sends nothing more to its replicas. Calls that run end there; the links close with their replicas. */
  retire(): void {
    this.#endpoints.length = 0;
  }

  /** Rejects what waits and what comes. Calls that run go on. */
  refuse(error: unknown): void {
    this.#rejection = error;
    for (const call of this.#queue.drain()) {
      this.#load.dequeue(call.priorityRank, this.#ledger);
      call.state = CALL_STATE.fresh;
      call.reject(error);
    }
  }

  /** Rejects what comes; what waits is still served. */
  bar(error: unknown): void {
    this.#rejection = error;
  }

  /** Closes every link. */
  close(error: unknown): void {
    this.isGone = true;
    this.refuse(error);
    for (const endpoint of this.#endpoints.splice(0)) endpoint.channel.close(error);
  }

  /**
   * Accepts a call: from here on it ends exactly once.
   * @param deadlineAt time of `clock.now()`; 0 = none
   */
  begin(call: Call, deadlineAt: number): void {
    wheel.hold();
    if (deadlineAt > 0) wheel.add(call, deadlineAt);
  }

  /** Sends a call to a replica, or lets it wait for one. */
  dispatch(call: Call): void {
    if (this.#rejection !== undefined) {
      call.reject(this.#rejection);
      return;
    }
    if (this.#mayGoFirst(call)) {
      const endpoint = this.#reserve();
      if (endpoint !== undefined) {
        this.#send(call, endpoint, call.createdAt);
        return;
      }
    }
    this.#enqueue(call, false);
  }

  /** Sends a call to a given replica on which a place was reserved. */
  dispatchTo(call: Call, endpoint: Endpoint): void {
    this.#send(call, endpoint, call.createdAt);
  }

  /** Sends waiting calls as long as there is room. */
  drain(): void {
    // An inline call may end, and free its place, while it is being sent.
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#sendWaiting();
    this.#isDraining = false;
    if (this.#queue.size === 0) this.#load.lowerBarrier(this.#caller);
  }

  #sendWaiting(): void {
    let call = this.#queue.peek();
    if (call === undefined) return;
    const at = now();
    for (; call !== undefined; call = this.#queue.peek()) {
      if (this.#load.hasWaitingAbove(call.priorityRank, at)) return;
      const endpoint = this.#reserve();
      if (endpoint === undefined) return;
      this.#queue.shift();
      this.#load.dequeue(call.priorityRank, this.#ledger);
      this.#countDrained(at);
      this.#send(call, endpoint, at);
    }
  }

  /** Called every so often while calls wait: the net under a lost wake-up, and the guard of the old waiters. */
  tend(at: number): void {
    this.drain();
    for (const call of this.#queue) this.#load.announceWaiting(call.priorityRank, at);
    const head = this.#queue.peek();
    if (head !== undefined && at - head.createdAt > BARRIER_AFTER_MS)
      this.#load.raiseBarrier(this.#caller, at);
  }

  /** A queued call was cancelled or expired. */
  leftQueue(call: Call): void {
    this.#queue.forget();
    this.#load.dequeue(call.priorityRank, this.#ledger);
  }

  /** The deadline of a call passed. */
  expired(call: Call): void {
    if (call.state !== CALL_STATE.queued && call.endpoint !== undefined) this.#hooks.onExpired(call.endpoint);
  }

  /** A response failed and nobody looked at it. */
  unobserved(error: unknown, call: Call): void {
    this.#hooks.onUnobserved(error, call);
  }

  /** Sends a call again that had certainly not started; false if it cannot be. */
  retry(call: Call): boolean {
    // What was moved or uploaded is gone with the dead replica.
    const isGone = call.transfer !== undefined || call.meta?.upload !== undefined;
    if (isGone || call.attempts >= MAX_ATTEMPTS || this.#rejection !== undefined) return false;
    call.endpoint = undefined;
    this.#enqueue(call, true);
    this.drain();
    return true;
  }

  /** @internal Bookkeeping of `Call`. */
  settled(call: Call, outcome: Outcome, before: CallState, at: number): void {
    if (before >= CALL_STATE.sent && outcome === 'ok') call.endpoint?.observe(at - call.sentAt, at);
    this.stats.record(call.method, outcome, at - call.createdAt);
  }

  #send(call: Call, endpoint: Endpoint, at: number): void {
    call.state = CALL_STATE.sent;
    call.endpoint = endpoint;
    call.sentAt = at;
    call.attempts++;
    endpoint.channel.send(call);
    call.onSent();
  }

  /** Newcomers do not overtake those who wait in this thread, nor more important or long waiters of other threads. */
  #mayGoFirst(call: Call): boolean {
    if (this.#queue.size > 0) return false;
    if (this.#load.queued === 0) return true;
    return (
      !this.#load.hasWaitingAbove(call.priorityRank, call.createdAt) &&
      !this.#load.isBarred(this.#caller, call.createdAt)
    );
  }

  #enqueue(call: Call, accepted: boolean): void {
    if (!this.#load.enqueue(call.priorityRank, this.#ledger, accepted)) {
      call.reject(this.#backpressure());
      return;
    }
    this.#load.announceWaiting(call.priorityRank, call.createdAt);
    call.state = CALL_STATE.queued;
    this.#queue.push(call);
    this.#hooks.onQueued(this);
    this.#arm();
  }

  /**
   * Waits for a freed place. Armed before the last look at the loads, so that a place freed in between is either seen by
   * the look or ends the wait at once.
   */
  #arm(): void {
    if (this.#armed) return;
    this.#armed = true;
    const load = this.#load;
    const ledger = this.#ledger;
    const seen = load.freedSequence;
    load.arm(ledger);
    this.drain();
    if (this.#queue.size === 0) {
      this.#armed = false;
      load.disarm(ledger);
      return;
    }
    load.waitFreed(seen).then(() => {
      load.disarm(ledger);
      this.#armed = false;
      this.drain();
      if (this.#queue.size > 0) this.#arm();
    });
  }

  /**
   * The power of two choices (Mitzenmacher 1996) by cost; when both are full every other replica is tried, so a free
   * place is never missed.
   */
  #reserve(): Endpoint | undefined {
    const endpoints = this.#endpoints;
    const count = endpoints.length;
    if (count === 0) return undefined;
    const first = count === 1 ? 0 : Math.floor(Math.random() * count);
    let best = endpoints[first] as Endpoint;
    if (count === 1) return best.channel.reserve() === RESERVED.ok ? best : undefined;
    const second = (first + 1 + Math.floor(Math.random() * (count - 1))) % count;
    let other = endpoints[second] as Endpoint;
    if (other.score < best.score) [best, other] = [other, best];
    if (best.channel.reserve() === RESERVED.ok) return best;
    if (other.channel.reserve() === RESERVED.ok) return other;
    for (let step = 1; count > 2 && step < count; step++) {
      const endpoint = endpoints[(first + step) % count] as Endpoint;
      if (endpoint !== best && endpoint !== other && endpoint.channel.reserve() === RESERVED.ok)
        return endpoint;
    }
    return undefined;
  }

  #countDrained(at: number): void {
    const interval = at - this.#drainedAt;
    this.#drainedAt = at;
    if (interval > 10_000) this.#drainRate = 0;
    else this.#drainRate += (1 / Math.max(interval, 0.01) - this.#drainRate) * 0.05;
  }

  #backpressure(): ServeError {
    const { statusCode, retryAfterMs } = this.config.backpressure;
    const queued = this.#load.queued;
    const error = new ServeError(
      'SERVE_BACKPRESSURE',
      `${this.deployment}: the queue is full (queued: ${queued}, maxQueuedRequests: ${this.#load.maxQueued})`,
      {
        app: this.app,
        deployment: this.deployment,
        statusCode,
        retryAfterMs: retryAfterMs === 'auto' ? this.#drainTime(queued) : retryAfterMs,
      },
    );
    return error;
  }

  /** How long the queue takes to empty at the rate at which it drains now; 1…30 s. */
  #drainTime(queued: number): number {
    if (this.#drainRate === 0) return DEFAULT_RETRY_AFTER_MS;
    return Math.round(Math.min(Math.max(queued / this.#drainRate, DEFAULT_RETRY_AFTER_MS), 30_000));
  }
}
