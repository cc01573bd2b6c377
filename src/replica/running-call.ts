import { CANCEL_CODE, type CancelCode, METHOD_WEBSOCKET } from '../channel/frames.ts';
import type { InboundCall, InboundListener } from '../channel/inbound-call.ts';
import { ServeError } from '../errors.ts';
import type { CallScope, Child } from '../handle/call/scope.ts';
import type { ServeContext } from '../handle/call/serve-context.ts';
import { now } from '../time/clock.ts';
import { loop } from '../time/loop.ts';
import type { ReplicaTrace } from '../tracing/channels.ts';

/** The identity of the replica, which its calls share. */
export interface ReplicaIdentity {
  readonly app: string;
  readonly deployment: string;
  readonly replicaId: string;
  readonly rank: number;
  readonly gpus: readonly number[];
}

/**
 * One call while user code runs it: the `context()` of that code, the parent of the calls it makes, and the receiver of
 * cancellation. Everything but the fields is made on first use.
 */
export class RunningCall implements InboundListener, CallScope, ServeContext {
  readonly inbound: InboundCall;
  readonly #identity: ReplicaIdentity;
  readonly #onTimeout: ((call: RunningCall) => void) | undefined;
  #controller: AbortController | undefined = undefined;
  #children: Set<Child> | undefined = undefined;
  #cancellation: ServeError | undefined = undefined;
  /** The reason why work of the call was stopped, although the call itself goes on. */
  #departure: ServeError | undefined = undefined;
  #stream: StreamListener | undefined = undefined;
  #upload: UploadListener | undefined = undefined;
  #requestId: string | undefined = undefined;
  /** When it began, as a time of `clock.now()`; 0 = its duration is not measured. */
  startedAt = 0;
  /** Whether it was counted as a failure, although its code still runs. */
  isCounted = false;
  /** Its trace; undefined without subscribers. */
  trace: ReplicaTrace | undefined = undefined;
  readonly items: readonly ServeContext[] | undefined = undefined;

  /** @param onTimeout called when the deadline passes while the call runs */
  constructor(inbound: InboundCall, identity: ReplicaIdentity, onTimeout?: (call: RunningCall) => void) {
    this.inbound = inbound;
    this.#identity = identity;
    this.#onTimeout = onTimeout;
  }

  get context(): ServeContext {
    return this;
  }

  get app(): string {
    return this.#identity.app;
  }

  get deployment(): string {
    return this.#identity.deployment;
  }

  get replicaId(): string {
    return this.#identity.replicaId;
  }

  get rank(): number {
    return this.#identity.rank;
  }

  get gpus(): readonly number[] {
    return this.#identity.gpus;
  }

  get requestId(): string {
    // Cached, because every child call reads it.
    this.#requestId ??= this.inbound.meta?.requestId ?? `${this.inbound.callerName}-${this.inbound.number}`;
    return this.#requestId;
  }

  get route(): string | undefined {
    return this.inbound.meta?.route;
  }

  get traceparent(): string | undefined {
    return this.inbound.meta?.traceparent;
  }

  get tracestate(): string | undefined {
    return this.inbound.meta?.tracestate;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      const reason = this.#cancellation ?? this.#departure;
      if (reason !== undefined) this.#controller.abort(reason);
    }
    return this.#controller.signal;
  }

  /** The deadline; 0 = none, also for a WebSocket, whose deadline applies only until the connection is open. */
  get deadlineAt(): number {
    return this.inbound.method === METHOD_WEBSOCKET ? 0 : this.inbound.deadline;
  }

  get deadline(): number | undefined {
    const at = this.deadlineAt;
    return at === 0 ? undefined : Date.now() + (at - now());
  }

  get multiplexedModelId(): string {
    return this.inbound.meta?.multiplexedModelId ?? '';
  }

  get tenant(): string | undefined {
    return this.inbound.meta?.tenant;
  }

  get sessionId(): string | undefined {
    return this.inbound.meta?.sessionId;
  }

  get priorityRank(): number | undefined {
    return this.inbound.meta?.priority;
  }

  get locals(): unknown {
    return this.inbound.meta?.locals;
  }

  get ip(): string | undefined {
    return this.inbound.meta?.ip;
  }

  get params(): Readonly<Record<string, string>> {
    return this.inbound.meta?.params ?? {};
  }

  get mountPath(): string {
    return this.inbound.meta?.mountPath ?? '';
  }

  /** The replica has started. */
  progress(): void {}

  async yield(): Promise<void> {
    await loop.yield();
  }

  get isRunning(): boolean {
    return this.inbound.listener !== undefined;
  }

  get cancellation(): ServeError | undefined {
    return this.#cancellation;
  }

  joinedBatch(items: number): void {
    // A method may answer before its batch starts, and its id may then belong to another call.
    if (this.inbound.listener !== undefined) this.inbound.batched(items);
  }

  /** Whether its result is a stream, whose duration is not a measure of its cost. */
  get isStreamed(): boolean {
    return this.#stream !== undefined;
  }

  adopt(child: Child): void {
    this.#children ??= new Set();
    this.#children.add(child);
  }

  disown(child: Child): void {
    this.#children?.delete(child);
  }

  /** Registers the streamed result, which gets credit and the end of the call. */
  streamTo(stream: StreamListener): void {
    this.#stream = stream;
  }

  /** Registers the body of the request, which gets the chunks that the caller uploads. */
  uploadTo(upload: UploadListener): void {
    this.#upload = upload;
  }

  cancelled(code: CancelCode): void {
    if (this.#cancellation !== undefined) return;
    const isTimeout = code === CANCEL_CODE.timeout;
    const error = isTimeout
      ? this.#error('SERVE_TIMEOUT', 'the deadline of the call passed')
      : this.#error('SERVE_CANCELLED', 'the caller cancelled the call');
    this.#cancellation = error;
    if (isTimeout) this.#onTimeout?.(this);
    this.#stopWork(error);
    this.#upload?.failed(error);
    this.#stream?.cancel();
  }

  /**
   * Stops the work for a WebSocket whose client has left. The call itself goes on, and may make other calls, such as one that
   * saves the messages.
   */
  departed(): void {
    this.#departure = this.#error('SERVE_CANCELLED', 'the client left');
    this.#stopWork(this.#departure);
  }

  /** Ends a WebSocket session that would go on, because the replica stops. */
  drain(): void {
    this.#stream?.drain?.();
  }

  #stopWork(error: ServeError): void {
    this.#controller?.abort(error);
    for (const child of this.#children ?? []) child.cancel(error);
  }

  #error(code: 'SERVE_TIMEOUT' | 'SERVE_CANCELLED', what: string): ServeError {
    const { app, deployment, replicaId: replica, requestId } = this;
    return new ServeError(code, what, { app, deployment, replica, requestId });
  }

  credited(chunks: number): void {
    this.#stream?.credited(chunks);
  }

  uploaded(value: unknown, bytes: number): void {
    this.#upload?.chunk(value, bytes);
  }

  uploadEnded(): void {
    this.#upload?.end();
  }

  refused(error: Error): void {
    this.#stream?.fail(error);
  }
}

/** The producer of a streamed result. */
export interface StreamListener {
  credited(chunks: number): void;
  /** The caller left. */
  cancel(): void;
  /** A chunk could not be sent. */
  fail(error: Error): void;
  /** The replica is to stop. */
  drain?(): void;
}

/** The consumer of an uploaded body. */
export interface UploadListener {
  chunk(value: unknown, bytes: number): void;
  end(): void;
  failed(error: Error): void;
}
