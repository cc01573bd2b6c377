import { AsyncResource } from 'node:async_hooks';
import { CANCEL_CODE } from '../../channel/frames.ts';
import { methodLabel } from '../../channel/method-names.ts';
import { OutboundCall } from '../../channel/outbound-call.ts';
import { ServeError } from '../../errors.ts';
import { hash } from '../../load/hash.ts';
import { batchTime, now } from '../../time/clock.ts';
import { wheel } from '../../time/timer-wheel.ts';
import { type CallTrace, callTraces, endTrace } from '../../tracing/channels.ts';
import type { Endpoint } from '../endpoints/endpoint.ts';
import type { Hedge } from '../policies/hedging.ts';
import { ADMISSION, type Entering, type Entry } from '../queue/admission-control.ts';
import { UNCHARGED, type Waiting } from '../queue/tenant-lane.ts';
import type { Route } from '../routing/route.ts';
import type { Outcome } from './call-stats.ts';
import { outcomeOf } from './outcome.ts';
import type { CallScope, Child } from './scope.ts';

export const CALL_STATE = { fresh: 0, queued: 1, sent: 2, streaming: 3, settled: 4 } as const;
export type CallState = (typeof CALL_STATE)[keyof typeof CALL_STATE];

let counter = 0;

/** A copy of a call: hears what became of the original. */
export interface ShadowCopy {
  originalSucceeded(value: unknown): void;
  originalFailed(error: unknown): void;
  originalStreamed(): void;
}

/**
 * One call from the caller's point of view: fresh → queued? → sent → streaming? → settled, and settled exactly once.
 * What a caller gets to see of it is a subclass's business (`PromiseCall`, the HTTP adapter's `HttpCall`).
 */
export abstract class Call extends OutboundCall implements Waiting, Entering, Child {
  /** A detour may change it before the call is sent. */
  route: Route;
  priorityRank = 0;
  state: CallState = CALL_STATE.fresh;
  /** Where it was sent to. */
  endpoint: Endpoint | undefined = undefined;
  readonly createdAt: number;
  /** Since when it could be sent: its arguments are there. */
  readyAt: number;
  /** Since when it waits in the queue; 0 = it does not. */
  queuedAt = 0;
  /** How long it waited in all, in ms. */
  queuedMs = 0;
  sentAt = 0;
  attempts = 0;
  /** It is for one replica and no other. */
  isPinned = false;
  chargedMs: number = UNCHARGED;
  entry: Entry = ADMISSION.outside;
  /** The second copy that a slow call may get. */
  hedge: Hedge | undefined = undefined;
  #trace: CallTrace | undefined = undefined;
  /** A copy of the call whose outcome is compared with this one's. */
  shadowCopy: ShadowCopy | undefined = undefined;
  #scope: CallScope | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;
  #onAbort: (() => void) | undefined = undefined;
  #lastChunkAt = 0;
  #openedAt = 0;

  constructor(route: Route, method: string) {
    super();
    this.route = route;
    this.method = method;
    this.number = ++counter;
    this.createdAt = now();
    this.readyAt = this.createdAt;
  }

  get callerName(): string {
    return this.route.callerName;
  }

  get isQueued(): boolean {
    return this.state === CALL_STATE.queued;
  }

  /** Sent, and nothing of an answer is here. */
  get isWaitingForAnswer(): boolean {
    return this.state === CALL_STATE.sent;
  }

  get tenant(): string {
    return this.meta?.tenant ?? '';
  }

  get modelKey(): number | undefined {
    const id = this.meta?.multiplexedModelId;
    return id ? hash(id) : undefined;
  }

  /** How long it ran until `at`, in ms: as its replica says, else since it was sent. */
  ranUntil(at: number): number {
    return this.ranMs > 0 ? this.ranMs : at - this.sentAt;
  }

  get isSettled(): boolean {
    return this.state === CALL_STATE.settled;
  }

  get requestId(): string {
    return this.meta?.requestId ?? `${this.route.callerName}-${this.number}`;
  }

  /** Tells those who trace calls that this one begins; what they say of its trace context goes with it. */
  trace(): void {
    if (!callTraces.start.hasSubscribers) return;
    const { app, deployment } = this.route;
    const { requestId, meta } = this;
    const trace: CallTrace = {
      app,
      deployment,
      method: methodLabel(this.method),
      requestId,
      traceparent: meta?.traceparent,
      tracestate: meta?.tracestate,
    };
    this.#trace = trace;
    this.keepOrigin();
    callTraces.start.publish(trace);
    callTraces.end.publish(trace);
    const { traceparent, tracestate } = trace;
    if (traceparent !== undefined)
      this.meta = { ...meta, traceparent, ...(tracestate === undefined ? {} : { tracestate }) };
  }

  /** Keeps the async context in which it is made: user code that runs for it on this thread runs there. */
  keepOrigin(): AsyncResource {
    this.origin ??= new AsyncResource('inserve.call');
    return this.origin;
  }

  /** Ends with the call it was made in. */
  joinScope(scope: CallScope): void {
    // The call around it was let in.
    this.entry = ADMISSION.free;
    this.#scope = scope;
    scope.adopt(this);
  }

  /** The call in which it was made is out of time as well, and has not ended yet. */
  protected get isLateWithCaller(): boolean {
    const scope = this.#scope;
    return scope?.isRunning === true && scope.deadlineAt !== 0 && now() >= scope.deadlineAt;
  }

  /** Cancels the call when the signal aborts. */
  follow(signal: AbortSignal): void {
    this.#signal = signal;
    this.#onAbort = () => this.cancel(signal.reason);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Harmless once the call is settled. */
  cancel(reason?: unknown): void {
    if (this.state === CALL_STATE.settled) return;
    const cause = reason === undefined ? {} : { cause: reason };
    this.abandon(
      'cancelled',
      this.#error('SERVE_CANCELLED', 'the call was cancelled', cause),
      CANCEL_CODE.cancelled,
    );
  }

  /** Ends the call from this side, whatever the replica does. */
  protected abandon(
    outcome: Outcome,
    error: unknown,
    code: (typeof CANCEL_CODE)[keyof typeof CANCEL_CODE],
  ): void {
    const { state, endpoint, slot } = this;
    const at = now();
    if (!this.#settle(outcome, at, error)) return;
    if (state === CALL_STATE.queued) {
      this.route.leftQueue(this);
    } else if (endpoint !== undefined) {
      endpoint.channel.cancel(this, code);
      // A call that had not begun leaves its slot at once.
      this.route.runs.gaveUp(this, state, at, this.slot === slot);
    }
    this.#failWith(error);
  }

  /** Ends a call that was never sent. */
  reject(error: unknown): void {
    if (this.#settle(outcomeOf(error), now(), error)) this.#failWith(error);
  }

  override succeeded(value: unknown): void {
    if (!this.#settle('ok', batchTime)) {
      this.route.runs.ended(this, batchTime);
      return;
    }
    this.shadowCopy?.originalSucceeded(value);
    this.onResult(value);
  }

  override failed(error: unknown): void {
    if (this.#settle(outcomeOf(error), batchTime, error)) this.#failWith(error);
    else this.route.runs.ended(this, batchTime);
  }

  override opened(head: unknown): void {
    if (this.state !== CALL_STATE.sent) return;
    this.state = CALL_STATE.streaming;
    this.#openedAt = batchTime;
    this.hedge?.stop();
    this.onOpen(head);
  }

  override chunk(value: unknown, bytes: number): void {
    if (this.state !== CALL_STATE.streaming) return;
    if (this.#lastChunkAt === 0) this.#watchStream();
    this.#lastChunkAt = batchTime;
    this.onChunk(value, bytes);
  }

  override ended(): void {
    if (!this.#settle('ok', batchTime)) {
      this.route.runs.ended(this, batchTime);
      return;
    }
    this.shadowCopy?.originalStreamed();
    this.onEnd();
  }

  override credited(chunks: number): void {
    this.onCredit(chunks);
  }

  override orphaned(started: boolean, cause: unknown): void {
    if (this.state === CALL_STATE.settled) {
      this.route.runs.ended(this, now());
      return;
    }
    if (this.hedge?.isRunning === true) {
      this.hedge.lost = { started, cause };
      return;
    }
    this.hedge?.stop();
    if (this.state !== CALL_STATE.streaming && this.route.recover(this, started)) return;
    const error =
      cause instanceof ServeError
        ? this.#diedWith(cause, started)
        : this.#error('SERVE_REPLICA_DIED', `replica ${this.endpoint?.replicaId} died`, {
            cause,
            retryable: this.#mayRepeat(started),
          });
    if (this.#settle('died', now(), error)) this.#failWith(error);
  }

  /** @internal The second copy answered first. */
  answeredAt(endpoint: Endpoint, sentAt: number): void {
    this.endpoint?.channel.cancel(this, CANCEL_CODE.cancelled);
    this.endpoint = endpoint;
    this.sentAt = sentAt;
  }

  /** @internal A replica has it. */
  sentTo(endpoint: Endpoint, at: number): void {
    this.state = CALL_STATE.sent;
    this.endpoint = endpoint;
    this.sentAt = at;
    this.attempts++;
  }

  /** @internal Its replica is gone, and it may go to another one. */
  lostReplica(): void {
    this.state = CALL_STATE.fresh;
    this.endpoint = undefined;
    this.batchSize = undefined;
    this.ranMs = 0;
  }

  /** @internal It was sent and has not begun: it waits again, as if it had never left. */
  takenBack(): void {
    this.hedge?.stop();
    this.hedge = undefined;
    this.state = CALL_STATE.queued;
    this.endpoint = undefined;
    this.attempts--;
    this.queuedAt = this.sentAt;
  }

  /** It left the queue, one way or the other. */
  dequeued(at: number): void {
    this.queuedMs += at - this.queuedAt;
    this.queuedAt = 0;
  }

  /** Ends a queued call before it is sent: its deadline is too near. */
  refuse(error: unknown): void {
    this.state = CALL_STATE.fresh;
    this.reject(error);
  }

  /** A deadline passed: the call's, or one of its stream's. */
  override expire(at: number): void {
    if (this.state === CALL_STATE.streaming && this.#lastChunkAt !== 0) {
      const next = this.#nextStreamDeadline();
      if (next > at) {
        wheel.add(this, next);
        return;
      }
    }
    const what = this.state === CALL_STATE.queued ? 'while it was queued' : 'while it ran';
    const waited = Math.round(at - this.createdAt);
    const error = this.#error('SERVE_TIMEOUT', `the deadline passed ${what} (after ${waited} ms)`, {
      retryable: this.attempts === 0,
    });
    this.abandon('timeout', error, CANCEL_CODE.timeout);
  }

  protected abstract onResult(value: unknown): void;
  protected abstract onError(error: unknown): void;
  protected abstract onOpen(head: unknown): void;
  protected abstract onChunk(value: unknown, bytes: number): void;
  protected abstract onEnd(): void;
  protected onCredit(_chunks: number): void {}

  /** @internal The call went to a replica. */
  onSent(): void {}

  /** From the first chunk on the deadline gives way to the idle and total limits of the stream. */
  #watchStream(): void {
    this.#lastChunkAt = batchTime;
    this.route.streamed(this, batchTime);
    wheel.remove(this);
    const next = this.#nextStreamDeadline();
    if (next !== Infinity) wheel.add(this, next);
  }

  #nextStreamDeadline(): number {
    const { streamIdleTimeoutMs: idle, streamTimeoutMs: total } = this.route.config;
    return Math.min(
      idle > 0 ? this.#lastChunkAt + idle : Infinity,
      total > 0 ? this.#openedAt + total : Infinity,
    );
  }

  #failWith(error: unknown): void {
    this.shadowCopy?.originalFailed(error);
    this.onError(error);
  }

  #settle(outcome: Outcome, at: number, error?: unknown): boolean {
    if (this.state === CALL_STATE.settled) return false;
    const { state } = this;
    this.state = CALL_STATE.settled;
    wheel.remove(this);
    wheel.release();
    if (this.#signal !== undefined && this.#onAbort !== undefined) {
      this.#signal.removeEventListener('abort', this.#onAbort);
    }
    this.#scope?.disown(this);
    this.hedge?.stop();
    this.route.settled(this, outcome, state, at);
    if (this.#trace !== undefined) this.#endTrace(this.#trace, outcome, error);
    return true;
  }

  #endTrace(trace: CallTrace, outcome: Outcome, error: unknown): void {
    trace.outcome = outcome;
    if (this.endpoint !== undefined) trace.replica = this.endpoint.replicaId;
    if (error !== undefined) trace.error = error;
    this.keepOrigin().runInAsyncScope(endTrace<CallTrace>, undefined, callTraces, trace);
  }

  /** The host's own words on what the replica died of, and whether this call may be repeated. */
  #diedWith(cause: ServeError, started: boolean): ServeError {
    if (cause.code !== 'SERVE_REPLICA_DIED') return cause;
    const { app, deployment } = this.route;
    return new ServeError('SERVE_REPLICA_DIED', cause.message, {
      app,
      deployment,
      requestId: this.requestId,
      retryable: this.#mayRepeat(started),
      ...(cause.replica === undefined ? {} : { replica: cause.replica }),
      ...(cause.cause === undefined ? {} : { cause: cause.cause }),
    });
  }

  #mayRepeat(started: boolean): boolean {
    return !started || this.route.isIdempotent(this.method);
  }

  #error(
    code: 'SERVE_CANCELLED' | 'SERVE_TIMEOUT' | 'SERVE_REPLICA_DIED',
    what: string,
    more: object = {},
  ): ServeError {
    const { app, deployment } = this.route;
    return new ServeError(code, `${deployment}.${methodLabel(this.method)}: ${what}`, {
      app,
      deployment,
      requestId: this.requestId,
      ...(this.endpoint === undefined ? {} : { replica: this.endpoint.replicaId }),
      ...more,
    });
  }
}
