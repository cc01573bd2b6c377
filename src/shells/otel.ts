import {
  type Context,
  context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import {
  type BatchTrace,
  batchTraces,
  type CallTrace,
  callTraces,
  type ReplicaTrace,
  replicaTraces,
} from '../tracing/channels.ts';
import { isInstance } from '../validation/peek.ts';
import { messageOf } from '../values/describe-value.ts';

/** Options of `traceInserve()`. */
export interface OtelOptions {
  /** The provider of the tracer. Default: the global one. */
  tracerProvider?: TracerProvider;
}

const NO_ORIGIN: Origin = { traceparent: undefined, tracestate: undefined };

let isOn = false;

/**
 * Turns calls into OpenTelemetry spans: one on the caller's thread (`CLIENT`) and one in the replica (`SERVER`), which is
 * active while user code runs, so that spans made there are its children. A batch is a span as well: a child of its first
 * caller's span, with links to the spans of all callers. The trace context travels with the call between threads, and is
 * taken from the client's `traceparent` if no span is active.
 *
 * Each thread traces its own part: call this on the host, and in the module of the deployments, after the set-up of an SDK.
 * Further calls in the same thread have no effect.
 *
 * @returns a function that stops tracing
 */
export function traceInserve({ tracerProvider }: OtelOptions = {}): () => void {
  if (isOn) return () => {};
  isOn = true;
  const tracer = (tracerProvider ?? trace.getTracerProvider()).getTracer('inserve');
  const spans = new WeakMap<object, Span>();

  const onCall = {
    start(call: CallTrace) {
      const active = context.active();
      const parent = trace.getSpan(active) === undefined ? withParent(active, call) : active;
      const span = tracer.startSpan(nameOf(call), { kind: SpanKind.CLIENT, attributes: about(call) }, parent);
      const traceparent = format(span);
      if (traceparent !== undefined) {
        call.traceparent = traceparent;
        call.tracestate = span.spanContext().traceState?.serialize();
      }
      spans.set(call, span);
    },
    end() {},
    asyncStart() {},
    asyncEnd(call: CallTrace) {
      const span = spans.get(call);
      if (call.replica !== undefined) span?.setAttribute('inserve.replica', call.replica);
      if (call.outcome !== undefined) span?.setAttribute('inserve.outcome', call.outcome);
      finish(span, call.error);
    },
    error() {},
  };

  const onReplica = {
    start(run: ReplicaTrace) {
      const parent = withParent(context.active(), run);
      const attributes = { ...about(run), 'inserve.replica': run.replica };
      const span = tracer.startSpan(nameOf(run), { kind: SpanKind.SERVER, attributes }, parent);
      spans.set(run, span);
      run.around = (execute) => context.with(trace.setSpan(parent, span), execute);
    },
    end() {},
    asyncStart() {},
    asyncEnd(run: ReplicaTrace) {
      finish(spans.get(run), run.error);
    },
    error() {},
  };

  const onBatch = {
    start(batch: BatchTrace) {
      // The active span belongs to an earlier call; the parent of a batch is its first caller, with links to all.
      const origins = batch.traceparents.map((traceparent, index) => ({
        traceparent,
        tracestate: batch.tracestates[index],
      }));
      const parent = withParent(ROOT_CONTEXT, origins[0]);
      const links = origins.flatMap((origin) => {
        const spanContext = trace.getSpanContext(withParent(ROOT_CONTEXT, origin));
        return spanContext === undefined ? [] : [{ context: spanContext }];
      });
      const attributes = {
        'inserve.app': batch.app,
        'inserve.deployment': batch.deployment,
        'inserve.replica': batch.replica,
        'inserve.batch_size': batch.size,
      };
      const span = tracer.startSpan(
        `${batch.deployment}.${batch.function} batch`,
        { attributes, links },
        parent,
      );
      spans.set(batch, span);
      batch.around = (run) => context.with(trace.setSpan(parent, span), run);
    },
    end() {},
    asyncStart() {},
    asyncEnd(batch: BatchTrace) {
      finish(spans.get(batch), batch.error);
    },
    error() {},
  };

  callTraces.subscribe(onCall);
  replicaTraces.subscribe(onReplica);
  batchTraces.subscribe(onBatch);
  return () => {
    isOn = false;
    callTraces.unsubscribe(onCall);
    replicaTraces.unsubscribe(onReplica);
    batchTraces.unsubscribe(onBatch);
  };
}

function nameOf({ deployment, method }: CallTrace | ReplicaTrace): string {
  return `${deployment}.${method}`;
}

function about({ app, deployment, method, requestId }: CallTrace | ReplicaTrace): Record<string, string> {
  return {
    'rpc.system': 'inserve',
    'rpc.service': deployment,
    'rpc.method': method,
    'inserve.app': app,
    'inserve.request_id': requestId,
  };
}

type Origin = Pick<ReplicaTrace, 'traceparent' | 'tracestate'>;

function withParent(base: Context, { traceparent, tracestate }: Origin = NO_ORIGIN): Context {
  const [, traceId = '', spanId = '', flags = '00'] = traceparent?.split('-') ?? [];
  const parent = {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  };
  return isSpanContextValid(parent) ? trace.setSpanContext(base, parent) : base;
}

function format(span: Span): string | undefined {
  const { traceId, spanId, traceFlags } = span.spanContext();
  if (!isSpanContextValid({ traceId, spanId, traceFlags })) return undefined;
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
}

function finish(span: Span | undefined, error: unknown): void {
  if (error !== undefined) {
    const message = messageOf(error);
    span?.recordException(isInstance(error, Error) ? error : message);
    span?.setStatus({ code: SpanStatusCode.ERROR, message });
  }
  span?.end();
}
