import { CANCEL_CODE } from '../../channel/frames.ts';
import { HTTP_METHOD_NAME } from '../../channel/method-names.ts';
import { OutboundCall } from '../../channel/outbound-call.ts';
import { batchTime, now } from '../../time/clock.ts';
import { hedgeWheel, type TimerWheel, wheel } from '../../time/timer-wheel.ts';
import type { Call } from '../call/call.ts';
import type { HedgeCopy } from '../call/call-copies.ts';
import type { HedgeConfig } from '../call/route-config.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { RunTimes } from './run-times.ts';

/** A second replica is never asked sooner, in ms: any pause of a thread takes as long now and then. */
const SOONEST_MS = 10;
/** From this delay on, in ms, the coarse wheel is exact enough: the fine one ticks four times as often. */
const LONG_MS = 200;

/** What hedging needs of its route. */
export interface HedgeHooks {
  /** Takes a place at another replica. */
  reserve(call: Call, except: Endpoint, at: number): Endpoint | undefined;
  sent(): void;
  won(): void;
  /** One of two copies was given up after so long. */
  gaveUp(method: string, ms: number, at: number): void;
}

/**
 * Asks a second replica when the first is slow, and takes the answer that comes first ("The tail at scale", Dean,
 * Barroso 2013). The extra calls are bounded by a share of the calls of the last 10 s.
 */
export class Hedging {
  readonly #config: HedgeConfig;
  readonly #budget: RetryBudget;
  readonly #hooks: HedgeHooks;

  constructor(config: HedgeConfig, budget: RetryBudget, hooks: HedgeHooks) {
    this.#config = config;
    this.#budget = budget;
    this.#hooks = hooks;
  }

  /** A call of an idempotent method was sent. */
  watch(call: Call, first: Endpoint, times: RunTimes | undefined): void {
    // A call is repeated once at most, and bytes that were moved or are streamed can be sent once only.
    if (call.hedge?.isSent === true) return;
    if (call.transfer !== undefined || call.meta?.upload !== undefined) return;
    const { afterMs } = this.#config;
    const delay = afterMs === 'p95' ? (times?.p95Ms ?? 0) : afterMs;
    // Nothing is known yet.
    if (delay === 0 && afterMs === 'p95') return;
    const at = call.sentAt + Math.max(delay, SOONEST_MS);
    if (call.expiresAt !== 0 && at >= call.expiresAt) return;
    const timer = delay < LONG_MS ? hedgeWheel : wheel;
    const hedge = new Hedge(call, first, this, timer);
    call.hedgedBy(hedge);
    timer.add(hedge, at);
  }

  /** @internal It is time for a second one. */
  ask(hedge: Hedge, at: number): void {
    const { call } = hedge;
    if (!call.isWaitingForAnswer) return;
    const endpoint = this.#hooks.reserve(call, hedge.first, at);
    if (endpoint === undefined) return;
    // Another version may not know the method, and would answer first with just that.
    const isKnown = call.method === HTTP_METHOD_NAME || endpoint.channel.methods.has(call.method);
    if (!isKnown || !this.#budget.withdraw(at)) {
      endpoint.channel.unreserve();
      return;
    }
    this.#hooks.sent();
    hedge.send(endpoint, at);
  }

  /** @internal */
  won(): void {
    this.#hooks.won();
  }

  /** @internal */
  gaveUp(method: string, ms: number, at: number): void {
    this.#hooks.gaveUp(method, ms, at);
  }
}

/** The second copy of a call, from the moment on that it may become necessary. */
export class Hedge extends OutboundCall implements HedgeCopy {
  readonly call: Call;
  /** Where the call was sent first, and when. */
  readonly first: Endpoint;
  readonly firstSentAt: number;
  readonly callerName: string;
  /** It was sent. */
  isSent = false;
  /** What became of the first copy while this one runs. */
  #lost: { readonly started: boolean; readonly cause: unknown } | undefined = undefined;
  readonly #hedging: Hedging;
  readonly #timer: TimerWheel;
  #sentAt = 0;
  #endpoint: Endpoint | undefined = undefined;

  constructor(call: Call, first: Endpoint, hedging: Hedging, timer: TimerWheel) {
    super();
    this.#timer = timer;
    this.call = call;
    this.first = first;
    this.firstSentAt = call.sentAt;
    this.callerName = call.callerName;
    this.#hedging = hedging;
    this.number = call.number;
    this.method = call.method;
  }

  /** Sent, and not over. */
  get isRunning(): boolean {
    return this.#endpoint !== undefined;
  }

  get sentAt(): number {
    return this.#sentAt;
  }

  override expire(at: number): void {
    this.#hedging.ask(this, at);
  }

  send(endpoint: Endpoint, at: number): void {
    const { args, marks, meta, bytes, expiresAt } = this.call;
    Object.assign(this, { args, marks, meta, bytes, expiresAt });
    this.isSent = true;
    this.#endpoint = endpoint;
    this.#sentAt = at;
    endpoint.channel.send(this);
  }

  lostFirst(started: boolean, cause: unknown): void {
    this.#lost = { started, cause };
  }

  /** The call is over, or has another way: this copy is of no use any more. */
  stop(): void {
    this.#timer.remove(this);
    const endpoint = this.#endpoint;
    this.#endpoint = undefined;
    if (endpoint === undefined) return;
    endpoint.channel.cancel(this, CANCEL_CODE.cancelled);
    const at = now();
    this.#hedging.gaveUp(this.method, at - this.#sentAt, at);
  }

  override succeeded(value: unknown): void {
    if (this.#win()) this.call.succeeded(value);
  }

  override failed(error: unknown): void {
    if (this.#win()) this.call.failed(error);
  }

  /** A stream has begun at both ends: the first one goes on. */
  override opened(): void {
    this.stop();
    this.#giveUp(true, undefined);
  }

  override chunk(): void {}
  override ended(): void {}
  override credited(): void {}

  override orphaned(started: boolean, error: unknown): void {
    if (this.#endpoint === undefined) return;
    this.#endpoint = undefined;
    this.#giveUp(started, error);
  }

  /** Without the first copy the call is lost. */
  #giveUp(started: boolean, cause: unknown): void {
    const lost = this.#lost;
    this.#lost = undefined;
    if (lost !== undefined) this.call.orphaned(lost.started || started, lost.cause ?? cause);
  }

  #win(): boolean {
    const endpoint = this.#endpoint;
    if (endpoint === undefined) return false;
    this.#endpoint = undefined;
    this.#hedging.won();
    this.call.batchSize = this.batchSize;
    this.call.ranMs = this.ranMs;
    // The slower call is still running; its duration so far is a lower bound.
    const ms = batchTime - this.firstSentAt;
    this.first.observeAtLeast(ms, batchTime);
    this.#hedging.gaveUp(this.method, ms, batchTime);
    this.call.answeredAt(endpoint, this.#sentAt);
    return true;
  }
}
