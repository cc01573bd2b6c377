import { METHOD_HTTP, METHOD_WEBSOCKET } from '../channel/frames.ts';
import type { InboundCall } from '../channel/inbound-call.ts';
import { notExposable } from '../deployment/ingress-face.ts';
import { ServeError } from '../errors.ts';
import { callScope } from '../handle/call/scope.ts';
import type { ServeContext } from '../handle/call/serve-context.ts';
import type { CallTally } from '../load/replica-tally.ts';
import { now } from '../time/clock.ts';
import { loop } from '../time/loop.ts';
import { inRootContextWith } from '../time/root-context.ts';
import { endTrace, type ReplicaTrace, replicaTraces, startReplicaTrace } from '../tracing/channels.ts';
import { peek, tagOf } from '../validation/peek.ts';
import { isThenable, whenSettled } from '../validation/thenable.ts';
import { Capture, RESULT } from '../values/capture.ts';
import { type EncodedValue, moveNow, NO_ENCODING } from '../values/transfer.ts';
import { isExpectedError } from './expected-error.ts';
import { isResponse } from './ingress/foreign.ts';
import { type ReplicaIdentity, RunningCall } from './running-call.ts';
import { isStream, StreamPump } from './stream-pump.ts';
import type { UserCode } from './user-code.ts';

/** A deadline nearer than this, in ms, is compared with the clock instead of the time of the call's message. */
const NEAR_MS = 1_000;

/** Turns a request into the ingress method's argument, and its result into an answer. */
export interface IngressProtocol {
  /** Makes the argument of the ingress method. @throws the error that makes the request unanswerable */
  request(call: RunningCall): unknown;
  /** Answers with the result of the ingress method, which may be a stream. */
  respond(call: RunningCall, result: unknown): void | Promise<void>;
  /** Answers a request to an ingress that only serves WebSockets. */
  requireUpgrade(call: RunningCall): void;
  /** Runs a WebSocket session. Resolves when it has ended. @throws the error of `accept` */
  serveWebSocket(call: RunningCall, accept: (socket: unknown, request: Request) => unknown): Promise<void>;
}

/**
 * Runs calls on user code in the order of their arrival, concurrently while they await. It never refuses a call, since each
 * call that arrives already holds a place.
 */
export class CallExecutor {
  readonly identity: ReplicaIdentity;
  readonly #code: UserCode;
  readonly #ingress: IngressProtocol;
  readonly #tally: CallTally | undefined;
  readonly #capture = new Capture();
  readonly #webSocketCalls = new Set<RunningCall>();
  #isDraining = false;

  /** @param tally counts the calls by outcome */
  constructor(identity: ReplicaIdentity, code: UserCode, ingress: IngressProtocol, tally?: CallTally) {
    this.identity = identity;
    this.#code = code;
    this.#ingress = ingress;
    this.#tally = tally;
  }

  /** Starts a call. Exactly one last frame follows. */
  begin(inbound: InboundCall): void {
    const call = this.#start(inbound, now());
    if (call !== undefined) callScope.run(call, this.#execute, call);
  }

  /**
   * Starts a call in a new async context, which inherits nothing from the calls before it. `run` would copy the current context
   * twice, the second time only to restore it, which takes a tenth of the CPU time of a quick call.
   *
   * @param at the current time, or a slightly earlier one
   */
  beginApart(inbound: InboundCall, at: number): void {
    const call = this.#start(inbound, at);
    if (call !== undefined) inRootContextWith(call, this.#enter);
  }

  /** @returns undefined if the call is over, or began in another way */
  #start(inbound: InboundCall, at: number): RunningCall | undefined {
    const call = new RunningCall(inbound, this.identity, this.#timedOut);
    inbound.listener = call;
    if (this.#tally?.isObserved) call.startedAt = now();
    // The deadline may have passed while the message waited. If it is far away, the clock is not read.
    const { deadline } = inbound;
    if (deadline !== 0 && deadline - at < NEAR_MS && deadline < now()) {
      this.#fail(call, new ServeError('SERVE_TIMEOUT', 'the deadline passed before the call started'));
      return undefined;
    }
    if (!replicaTraces.start.hasSubscribers) return call;
    this.#beginTraced(call);
    return undefined;
  }

  /** Ends WebSocket sessions, which may not end by themselves. Called when no more calls arrive. */
  drain(): void {
    this.#isDraining = true;
    for (const call of this.#webSocketCalls) call.drain();
  }

  #beginTraced(call: RunningCall): void {
    const { app, deployment, replicaId: replica, requestId, traceparent, tracestate } = call;
    const method = this.#code.methodName(call.inbound.method);
    const trace: ReplicaTrace = { app, deployment, method, requestId, replica, traceparent, tracestate };
    call.trace = trace;
    startReplicaTrace(trace, () => callScope.run(call, this.#execute, call));
  }

  /** Counts a call as failed at once, because its code may never end. */
  readonly #timedOut = (call: RunningCall): void => {
    call.isCounted = true;
    this.#tally?.record(true, undefined);
  };

  readonly #enter = (call: RunningCall): void => {
    callScope.enterWith(call);
    this.#execute(call);
  };

  readonly #execute = (call: RunningCall): void => {
    const { inbound } = call;
    if (inbound.method === METHOD_WEBSOCKET) {
      void this.#serveWebSocket(call);
      return;
    }
    const isHttp = inbound.method === METHOD_HTTP;
    if (isHttp && this.#code.ingressKind === 'none' && this.#code.takesWebSockets) {
      this.#end(call);
      this.#ingress.requireUpgrade(call);
      return;
    }
    let result: unknown;
    try {
      result = this.#code.invoke(inbound.method, isHttp ? this.#httpArguments(call) : inbound.args);
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    if (typeof result !== 'object' || result === null) {
      this.#answer(call, result);
    } else if (isThenable(result)) {
      whenSettled(
        result,
        (value) => this.#answer(call, value),
        (error) => this.#fail(call, error),
      );
    } else {
      this.#answer(call, result);
    }
  };

  #httpArguments(call: RunningCall): unknown[] {
    if (this.#code.ingressKind === 'none') {
      const { deployment } = this.identity;
      throw notExposable(deployment, { deployment });
    }
    const request = this.#ingress.request(call);
    return this.#code.ingressTakesRequest ? [request] : [];
  }

  #answer(call: RunningCall, result: unknown): void {
    const { inbound } = call;
    if (inbound.method === METHOD_HTTP) {
      this.#respond(call, result);
    } else if (isStream(result)) {
      this.#stream(call, result);
    } else {
      this.#finish(call, result);
    }
  }

  #finish(call: RunningCall, result: unknown): void {
    const { inbound } = call;
    if (inbound.isByReference) {
      this.#end(call);
      inbound.result(result, NO_ENCODING);
      return;
    }
    const capture = this.#capture;
    const method = this.#code.methodName(inbound.method);
    capture.reset();
    let value: unknown;
    let encoded: EncodedValue = capture;
    try {
      value = capture.take(result, method, RESULT);
      if (capture.isMoving) {
        const { marks, transfer, bytes } = capture;
        const moved = moveNow({ value, marks, transfer, bytes }, method);
        value = moved.value;
        encoded = moved;
      }
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    this.#end(call);
    inbound.result(value, encoded);
  }

  async #stream(call: RunningCall, source: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
    const { inbound } = call;
    try {
      const pump = new StreamPump(inbound, source, this.#code.methodName(inbound.method));
      call.streamTo(pump);
      if (call.cancellation !== undefined) pump.cancel();
      inbound.open(undefined, NO_ENCODING);
      await pump.run();
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    this.#end(call);
    inbound.end();
  }

  #respond(call: RunningCall, result: unknown): void {
    let responding: void | Promise<void>;
    try {
      responding = this.#ingress.respond(call, result);
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    if (responding === undefined) this.#end(call, isServerError(result));
    else
      responding.then(
        () => this.#end(call, isServerError(result)),
        (error: unknown) => this.#fail(call, error),
      );
  }

  async #serveWebSocket(call: RunningCall): Promise<void> {
    const { inbound } = call;
    this.#webSocketCalls.add(call);
    try {
      if (!this.#code.takesWebSockets) {
        const { deployment } = this.identity;
        throw new ServeError('SERVE_NOT_FOUND', `${deployment} has no websocket(socket, request)`);
      }
      const over = this.#ingress.serveWebSocket(call, (socket, request) =>
        this.#code.invoke(METHOD_WEBSOCKET, [socket, request]),
      );
      // The call was on its way when the replica was told to stop.
      if (this.#isDraining) call.drain();
      await over;
    } catch (error) {
      this.#fail(call, error);
      return;
    } finally {
      this.#webSocketCalls.delete(call);
    }
    this.#end(call);
    inbound.end();
  }

  #fail(call: RunningCall, error: unknown): void {
    const { inbound } = call;
    if (call.trace !== undefined) call.trace.error = error;
    this.#end(call, isOwnFault(call, error));
    if (inbound.isByReference) {
      inbound.error(error, NO_ENCODING);
      return;
    }
    const capture = this.#capture;
    capture.reset();
    try {
      inbound.error(capture.take(error, this.#code.methodName(inbound.method), RESULT), capture);
    } catch {
      // The thrown value is not an Error and cannot cross, so it is described.
      capture.reset();
      const what = new ServeError(
        'SERVE_NOT_SERIALIZABLE',
        `the method threw ${tagOf(error)}, which cannot cross a thread: throw an Error`,
      );
      inbound.error(capture.take(what, '', RESULT), capture);
    }
  }

  #end(call: RunningCall, isFailure = false): void {
    call.inbound.listener = undefined;
    const isTimed = call.startedAt !== 0 && !call.isStreamed;
    if (!call.isCounted) this.#tally?.record(isFailure, isTimed ? now() - call.startedAt : undefined);
    if (call.trace !== undefined) endTrace(replicaTraces, call.trace);
  }
}

/** Whether a result is a response that reports a failure of the app. */
function isServerError(result: unknown): boolean {
  if (typeof result !== 'object' || result === null || !isResponse(result)) return false;
  const status = peek(result, 'status');
  return typeof status === 'number' && status >= 500;
}

/** Whether the code is at fault for a failed call: the caller has not left, and the error is not an answer to invalid input. */
function isOwnFault(call: RunningCall, error: unknown): boolean {
  return call.cancellation?.code !== 'SERVE_CANCELLED' && !isExpectedError(error);
}

/**
 * The `context()` of code that runs in a replica outside of calls: constructor, hooks, timers.
 * @param progress receives what it says about its start
 */
export function idleContext(
  identity: ReplicaIdentity,
  progress: (message: string) => void = () => {},
): ServeContext {
  return {
    ...identity,
    progress,
    requestId: '',
    traceparent: undefined,
    tracestate: undefined,
    signal: new AbortController().signal,
    deadline: undefined,
    multiplexedModelId: '',
    tenant: undefined,
    sessionId: undefined,
    locals: undefined,
    ip: undefined,
    params: {},
    mountPath: '',
    items: undefined,
    async yield() {
      await loop.yield();
    },
  };
}
