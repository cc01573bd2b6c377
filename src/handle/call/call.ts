import { AsyncResource } from 'node:async_hooks';
import { CANCEL_CODE, type CancelCode } from '../../channel/frames.ts';
import { methodLabel } from '../../channel/method-names.ts';
import { hash } from '../../load/hash.ts';
import { batchTime, now } from '../../time/clock.ts';
import { wheel } from '../../time/timer-wheel.ts';
import { type CallTrace, callTraces, endTrace } from '../../tracing/channels.ts';
import type { Marks } from '../../values/marks.ts';
import { reviveErrorAlone } from '../../values/revive.ts';
import { type EncodedValue, NO_ENCODING } from '../../values/transfer.ts';
import { ADMISSION, type Entering, type Entry } from '../queue/admission-control.ts';
import { UNCHARGED, type Waiting } from '../queue/tenant-lane.ts';
import type { HedgeCopy, ShadowCopy } from './call-copies.ts';
import { callError, replicaDied } from './call-errors.ts';
import { CALL_STATE, CallProgress, type CallState } from './call-progress.ts';
import type { Outcome } from './call-stats.ts';
import type { Counters } from './counters.ts';
import type { Destination } from './destination.ts';
import { outcomeOf } from './outcome.ts';
import type { RouteConfig } from './route-config.ts';
import type { CallScope, Child } from './scope.ts';

let counter = 0;

/** Accounts for the time that replicas spend on calls. */
export interface RunKeeper {
  /** A call that had been sent was given up. @param hasBegun false: its replica does not run it */
  gaveUp(call: Call, before: CallState, at: number, hasBegun: boolean): void;
  /** The replica is done with a call that was given up before. */
  ended(call: Call, at: number): void;
}

/** The owner that sends a call and handles its events: its route. */
export interface CallOwner {
  readonly app: string;
  readonly deployment: string;
  /** Prefix of the request ids of the calling thread. */
  readonly callerName: string;
  readonly config: RouteConfig;
  readonly counters: Counters;
  readonly runs: RunKeeper;
  isIdempotent(method: string): boolean;
  /** A queued call has ended and leaves the queue. */
  leftQueue(call: Call): void;
  /** The first chunk of a streamed answer has arrived. */
  streamed(call: Call, at: number): void;
  /** A call lost its replica. @param started the call may have run @returns whether the call is sent again */
  recover(call: Call, started: boolean): boolean;
  /** A sent call was given back before it began: it waits again. */
  returned(call: Call): void;
  /** A call has ended. @param before the state that it was in */
  settled(call: Call, outcome: Outcome, before: CallState, at: number): void;
  /** A response failed unobserved. */
  unobserved(error: unknown, call: Call): void;
}

/**
 * One call from the caller's point of view, settled exactly once. Subclasses decide what the caller sees of it
 * (`PromiseCall`, the HTTP adapter's `HttpCall`).
 */
export abstract class Call extends CallProgress implements Waiting, Entering, Child {
  priorityRank = 0;
  /** Whether replicas of this instance go before those of others; undefined = until they are half full. */
  preferLocal: boolean | undefined = undefined;
  chargedMs: number = UNCHARGED;
  #route: CallOwner;
  #entry: Entry = ADMISSION.outside;
  #hedge: HedgeCopy | undefined = undefined;
  #shadowCopy: ShadowCopy | undefined = undefined;
  #trace: CallTrace | undefined = undefined;
  #scope: CallScope | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;
  #onAbort: (() => void) | undefined = undefined;
  #lastChunkAt = 0;
  #openedAt = 0;

  constructor(route: CallOwner, method: string) {
    super();
    this.#route = route;
    this.method = method;
    this.number = ++counter;
  }

  override get deployment(): string {
    return this.#route.deployment;
  }

  get route(): CallOwner {
    return this.#route;
  }

  get callerName(): string {
    return this.#route.callerName;
  }

  get entry(): Entry {
    return this.#entry;
  }

  /** The second copy that a slow call may get. */
  get hedge(): HedgeCopy | undefined {
    return this.#hedge;
  }

  override get isIdempotent(): boolean {
    return this.#route.isIdempotent(this.method);
  }

  get tenant(): string {
    return this.meta?.tenant ?? '';
  }

  get modelKey(): number | undefined {
    const id = this.meta?.multiplexedModelId;
    return id ? hash(id) : undefined;
  }

  /** Announces the call to tracers; the trace context that they set goes with the call. */
  trace(): void {
    if (!callTraces.start.hasSubscribers) return;
    const { app, deployment } = this.#route;
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

  /**
   * Keeps the async context in which the call is made: user code that runs for the call on this thread runs in that
   * context.
   */
  keepOrigin(): AsyncResource {
    this.origin ??= new AsyncResource('inserve.call');
    return this.origin;
  }

  /** Moves the call to another route before it is sent. */
  divertTo(route: CallOwner): void {
    this.#route = route;
  }

  /** The call passed admission control, or is exempt. */
  entered(entry: Entry): void {
    this.#entry = entry;
  }

  /** A second copy may be sent while the call runs. */
  hedgedBy(hedge: HedgeCopy): void {
    this.#hedge = hedge;
  }

  /** Whether the result is read by others after it was delivered. */
  get sharesResult(): boolean {
    return this.#shadowCopy !== undefined;
  }

  /** The call's outcome is compared with the outcome of a copy. */
  shadowedBy(copy: ShadowCopy): void {
    this.#shadowCopy = copy;
  }

  /** Ties the call to its parent call: both end together. */
  joinScope(scope: CallScope): void {
    // The parent call was admitted.
    this.#entry = ADMISSION.free;
    this.#scope = scope;
    scope.adopt(this);
  }

  /** Whether the parent call has passed its deadline as well and has not ended yet. */
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

  /** Cancels the call; does nothing once the call is settled. */
  cancel(reason?: unknown): void {
    if (this.isSettled) return;
    const cause = reason === undefined ? {} : { cause: reason };
    const error = callError(this, 'SERVE_CANCELLED', 'the call was cancelled', cause);
    this.cancelAs('cancelled', error, CANCEL_CODE.cancelled);
  }

  /** Ends the call from this side, whatever the replica does. */
  protected cancelAs(outcome: Outcome, error: unknown, code: CancelCode): void {
    const { state, endpoint, slot } = this;
    const at = now();
    if (!this.#settle(outcome, at, error)) return;
    if (state === CALL_STATE.queued) {
      this.dequeued(at);
      this.#route.leftQueue(this);
    } else if (endpoint !== undefined) {
      endpoint.channel.cancel(this, code);
      // A call that had not begun leaves its slot at once.
      this.#route.runs.gaveUp(this, state, at, this.slot === slot);
    }
    this.#failWith(error);
  }

  /** Ends a call that was never sent. */
  reject(error: unknown): void {
    if (this.#settle(outcomeOf(error), now(), error)) this.#failWith(error);
  }

  override succeeded(value: unknown, marks?: Marks): void {
    if (!this.#settle('ok', batchTime)) {
      this.#route.runs.ended(this, batchTime);
      return;
    }
    this.#shadowCopy?.originalSucceeded(value, marks);
    this.onResult(value);
  }

  /** @param marks of an error that crossed and is only passed on: the call is judged by what the error stands for */
  override failed(error: unknown, marks?: Marks): void {
    const judged = reviveErrorAlone(error, marks);
    const isOpen = this.#settle(outcomeOf(judged), batchTime, judged);
    // Whatever the code of the error, the replica is done with the call.
    this.#route.runs.ended(this, batchTime);
    if (isOpen) this.#failWith(error, judged);
  }

  override opened(head: unknown): void {
    if (!this.streams()) return;
    this.#openedAt = batchTime;
    this.#hedge?.close();
    this.onOpen(head);
  }

  override chunk(value: unknown, bytes: number): void {
    if (!this.isStreaming) return;
    if (this.#lastChunkAt === 0) this.#watchStream();
    this.#lastChunkAt = batchTime;
    this.onChunk(value, bytes);
  }

  override ended(): void {
    if (!this.#settle('ok', batchTime)) {
      this.#route.runs.ended(this, batchTime);
      return;
    }
    this.#shadowCopy?.originalStreamed();
    this.onEnd();
  }

  override credited(chunks: number): void {
    this.onCredit(chunks);
  }

  override returned(): void {
    if (this.isSettled) {
      this.#route.runs.ended(this, now());
      return;
    }
    if (this.#hedge?.isRunning === true) {
      this.#hedge.lostFirst(false, undefined);
      return;
    }
    this.#route.returned(this);
  }

  override orphaned(started: boolean, cause: unknown): void {
    if (this.isSettled) {
      this.#route.runs.ended(this, now());
      return;
    }
    if (this.#hedge?.isRunning === true) {
      this.#hedge.lostFirst(started, cause);
      return;
    }
    this.#hedge?.close();
    if (!this.isStreaming && this.#route.recover(this, started)) return;
    const { isIdempotent, wantsRaw: isPassedOn } = this;
    const error = replicaDied(this, cause, { started, isIdempotent, isPassedOn });
    if (this.#settle('died', now(), error)) this.#failWith(error);
  }

  /** The second copy was answered first. */
  override answeredAt(endpoint: Destination, sentAt: number): void {
    this.endpoint?.channel.cancel(this, CANCEL_CODE.cancelled);
    super.answeredAt(endpoint, sentAt);
  }

  override takenBack(): void {
    this.#hedge?.close();
    this.#hedge = undefined;
    super.takenBack();
  }

  /** A deadline of the call or of its stream passed. */
  override expire(at: number): void {
    if (this.isStreaming && this.#lastChunkAt !== 0) {
      const next = this.#nextStreamDeadline();
      if (next > at) {
        wheel.add(this, next);
        return;
      }
    }
    const when = this.isQueued ? 'while it was queued' : 'while it ran';
    const what = `the deadline passed ${when} (after ${Math.round(at - this.createdAt)} ms)`;
    const error = callError(this, 'SERVE_TIMEOUT', what, { retryable: this.attempts === 0 });
    this.cancelAs('timeout', error, CANCEL_CODE.timeout);
  }

  protected abstract onResult(value: unknown): void;
  protected abstract onError(error: unknown): void;
  protected abstract onOpen(head: unknown): void;
  protected abstract onChunk(value: unknown, bytes: number): void;
  protected abstract onEnd(): void;
  protected onCredit(_chunks: number): void {}

  /** The call was sent to a replica. */
  onSent(): void {
    const { uploaded } = this;
    if (uploaded === undefined) return;
    this.uploaded = undefined;
    for (const chunk of uploaded)
      if (chunk === undefined) this.endUpload();
      else this.upload(chunk.value, { ...NO_ENCODING, bytes: chunk.bytes });
  }

  /** Sends a part of the body, once the call has a replica. */
  upload(value: unknown, encoded: EncodedValue): void {
    if (this.uploaded === undefined) this.endpoint?.channel.upload(this, value, encoded);
    else this.uploaded.push({ value, bytes: encoded.bytes });
  }

  endUpload(): void {
    if (this.uploaded === undefined) this.endpoint?.channel.endUpload(this);
    else this.uploaded.push(undefined);
  }

  /** Replaces the deadline by the idle and total limits of the stream once the first chunk has arrived. */
  #watchStream(): void {
    this.#lastChunkAt = batchTime;
    this.#route.streamed(this, batchTime);
    wheel.remove(this);
    const next = this.#nextStreamDeadline();
    if (next !== Infinity) wheel.add(this, next);
  }

  #nextStreamDeadline(): number {
    const { streamIdleTimeoutMs: idle, streamTimeoutMs: total } = this.#route.config;
    return Math.min(
      idle > 0 ? this.#lastChunkAt + idle : Infinity,
      total > 0 ? this.#openedAt + total : Infinity,
    );
  }

  #failWith(error: unknown, judged = error): void {
    this.#shadowCopy?.originalFailed(judged);
    this.onError(error);
  }

  #settle(outcome: Outcome, at: number, error?: unknown): boolean {
    const { state } = this;
    if (state === CALL_STATE.settled) return false;
    this.markSettled();
    wheel.remove(this);
    wheel.release();
    if (this.#signal !== undefined && this.#onAbort !== undefined) {
      this.#signal.removeEventListener('abort', this.#onAbort);
    }
    this.#scope?.disown(this);
    this.#hedge?.close();
    this.#route.settled(this, outcome, state, at);
    if (this.#trace !== undefined) this.#endTrace(this.#trace, outcome, error);
    return true;
  }

  #endTrace(trace: CallTrace, outcome: Outcome, error: unknown): void {
    trace.outcome = outcome;
    if (this.endpoint !== undefined) trace.replica = this.peerRun?.replica ?? this.endpoint.replicaId;
    if (error !== undefined) trace.error = error;
    this.keepOrigin().runInAsyncScope(endTrace<CallTrace>, undefined, callTraces, trace);
  }
}
