import { CANCEL_CODE } from '../../channel/frames.ts';
import { HTTP_METHOD_NAME } from '../../channel/method-names.ts';
import { OutboundCall } from '../../channel/outbound-call.ts';
import { batchTime, now } from '../../time/clock.ts';
import { hedgeWheel, type TimerWheel, wheel } from '../../time/timer-wheel.ts';
import type { Marks } from '../../values/marks.ts';
import type { Call } from '../call/call.ts';
import type { HedgeCopy } from '../call/call-copies.ts';
import type { Counters } from '../call/counters.ts';
import type { HedgeConfig } from '../call/route-config.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { MethodTimes } from './method-times.ts';
import type { RetryBudget } from './retry-budget.ts';

/** Lower bound of the hedging delay, in ms: occasional pauses of a thread take as long. */
const SOONEST_MS = 10;
/** Delay, in ms, from which the coarse timer wheel is exact enough; the fine wheel ticks four times as often. */
const LONG_MS = 200;

/** Reserves a place for a call at a replica, but not at `except`. */
export type Reserve = (call: Call, except: Endpoint, at: number) => Endpoint | undefined;

/**
 * Asks a second replica when the first is slow, and takes the answer that comes first ("The tail at scale", Dean,
 * Barroso 2013). The extra calls are bounded by a share of the calls of the last 10 s.
 */
export class Hedging {
  readonly #config: HedgeConfig;
  readonly #budget: RetryBudget;
  readonly #counters: Counters;
  readonly #times: MethodTimes;
  readonly #reserve: Reserve;

  constructor(
    config: HedgeConfig,
    budget: RetryBudget,
    counters: Counters,
    times: MethodTimes,
    reserve: Reserve,
  ) {
    this.#config = config;
    this.#budget = budget;
    this.#counters = counters;
    this.#times = times;
    this.#reserve = reserve;
  }

  /** A call of an idempotent method was sent. */
  watch(call: Call, first: Endpoint): void {
    // A call is hedged at most once, and moved or streamed bytes can be sent only once.
    if (call.hedge?.isSent === true) return;
    if (call.transfer !== undefined || call.meta?.upload !== undefined) return;
    const { afterMs } = this.#config;
    const delay = afterMs === 'p95' ? (this.#times.of(call.method)?.p95Ms ?? 0) : afterMs;
    // The method's run times are still unknown.
    if (delay === 0 && afterMs === 'p95') return;
    const at = call.sentAt + Math.max(delay, SOONEST_MS);
    if (call.expiresAt !== 0 && at >= call.expiresAt) return;
    const timer = delay < LONG_MS ? hedgeWheel : wheel;
    const hedge = new Hedge(call, first, this, timer);
    call.hedgedBy(hedge);
    timer.add(hedge, at);
  }

  /** @internal The hedging delay is over: asks a second replica. */
  ask(hedge: Hedge, at: number): void {
    const { call } = hedge;
    if (!call.isWaitingForAnswer) return;
    const endpoint = this.#reserve(call, hedge.first, at);
    if (endpoint === undefined) return;
    // A replica of another version may lack the method and would answer first with that error.
    const isKnown = call.method === HTTP_METHOD_NAME || endpoint.channel.methods.has(call.method);
    if (!isKnown || !this.#budget.withdraw(at)) {
      endpoint.channel.unreserve();
      return;
    }
    this.#counters.add('hedges');
    hedge.send(endpoint, at);
  }

  /** @internal */
  won(): void {
    this.#counters.add('hedges_won');
  }

  /** @internal One of two copies was given up after this time. */
  gaveUp(method: string, ms: number, at: number): void {
    this.#times.observe(method, ms, at, false);
  }
}

/** The second copy of a call, created when the call is sent. */
export class Hedge extends OutboundCall implements HedgeCopy {
  readonly call: Call;
  /** The endpoint that the call was sent to first; the send time follows. */
  readonly first: Endpoint;
  readonly firstSentAt: number;
  readonly callerName: string;
  /** Whether the second copy was sent. */
  isSent = false;
  /** The loss of the first copy while this copy runs. */
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

  /** Whether this copy was sent and has not ended. */
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

  /** Ends this copy, since the call has ended or was answered elsewhere. */
  close(): void {
    this.#timer.remove(this);
    const endpoint = this.#endpoint;
    this.#endpoint = undefined;
    if (endpoint === undefined) return;
    endpoint.channel.cancel(this, CANCEL_CODE.cancelled);
    const at = now();
    this.#hedging.gaveUp(this.method, at - this.#sentAt, at);
  }

  /** The call gets its answer from here in the form that it wants. */
  override get wantsRaw(): boolean {
    return this.call.wantsRaw;
  }

  override succeeded(value: unknown, marks?: Marks): void {
    if (this.#win()) this.call.succeeded(value, marks);
  }

  override failed(error: unknown, marks?: Marks): void {
    if (this.#win()) this.call.failed(error, marks);
  }

  /** Both copies opened a stream: the first copy continues. */
  override opened(): void {
    this.close();
    this.#loseCall(true, undefined);
  }

  override chunk(): void {}
  override ended(): void {}
  override credited(): void {}

  override orphaned(started: boolean, error: unknown): void {
    if (this.#endpoint === undefined) return;
    this.#endpoint = undefined;
    this.#loseCall(started, error);
  }

  /** Without the first copy the call is lost. */
  #loseCall(started: boolean, cause: unknown): void {
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
    this.call.peerRun = this.peerRun;
    // The slower call is still running; its duration so far is a lower bound.
    const ms = batchTime - this.firstSentAt;
    this.first.observeAtLeast(ms, batchTime);
    this.#hedging.gaveUp(this.method, ms, batchTime);
    this.call.answeredAt(endpoint, this.#sentAt);
    return true;
  }
}
