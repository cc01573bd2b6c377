import { type TracingChannel, tracingChannel } from 'node:diagnostics_channel';

/** A call on its caller's thread, from `remote()` or the HTTP request to the result. */
export interface CallTrace {
  readonly app: string;
  readonly deployment: string;
  readonly method: string;
  readonly requestId: string;
  /** The W3C trace context. A subscriber of `start` may set it, and the replica gets the new value. */
  traceparent: string | undefined;
  /** The vendors' additions to the trace context. A subscriber of `start` may set it as well. */
  tracestate: string | undefined;
  /** The replica that ran the call; set at `asyncEnd`. */
  replica?: string;
  /** `ok`, `error`, `timeout`, `cancelled`, `rejected` or `died`; set at `asyncEnd`. */
  outcome?: string;
  error?: unknown;
}

/** A call in the replica, from the start of user code to the end of the result. */
export interface ReplicaTrace {
  readonly app: string;
  readonly deployment: string;
  readonly method: string;
  readonly requestId: string;
  readonly replica: string;
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
  /** A subscriber of `start` may set it, to run user code within a context of its own. It must call `run` once. */
  around?: (run: () => void) => void;
  error?: unknown;
}

/** One run of a batched function. */
export interface BatchTrace {
  readonly app: string;
  readonly deployment: string;
  readonly replica: string;
  readonly function: string;
  readonly size: number;
  /** The request ids of the items' callers, in order. */
  readonly requestIds: readonly string[];
  /** The W3C trace contexts of the items' callers, in order. */
  readonly traceparents: readonly (string | undefined)[];
  readonly tracestates: readonly (string | undefined)[];
  /** A subscriber of `start` may set it, to run the function within a context of its own. It must call `run` once. */
  around?: (run: () => Promise<void>) => Promise<void>;
  error?: unknown;
}

/**
 * Tracing channels of `node:diagnostics_channel`. `start` and `end` enclose the synchronous part, `asyncEnd` is the end of the
 * whole, after `error` if it failed. Without subscribers nothing is made or published.
 */
export const callTraces: TracingChannel<unknown, CallTrace> = tracingChannel('inserve:call');
export const replicaTraces: TracingChannel<unknown, ReplicaTrace> = tracingChannel('inserve:replica');
export const batchTraces: TracingChannel<unknown, BatchTrace> = tracingChannel('inserve:batch');

/** @internal */
export function startReplicaTrace(trace: ReplicaTrace, run: () => void): void {
  replicaTraces.start.runStores(trace, () => {
    if (trace.around === undefined) run();
    else trace.around(run);
  });
  replicaTraces.end.publish(trace);
}

/** @internal */
export async function traceBatch(trace: BatchTrace, run: () => Promise<void>): Promise<void> {
  const done = batchTraces.start.runStores(trace, () =>
    trace.around === undefined ? run() : trace.around(run),
  );
  batchTraces.end.publish(trace);
  try {
    await done;
  } catch (error) {
    trace.error = error;
    throw error;
  } finally {
    endTrace(batchTraces, trace);
  }
}

/** @internal Ends a trace that `start` began. Must be called exactly once. */
export function endTrace<T extends { error?: unknown }>(channel: TracingChannel<unknown, T>, trace: T): void {
  if (trace.error !== undefined) channel.error.publish(trace);
  channel.asyncStart.publish(trace);
  channel.asyncEnd.publish(trace);
}
