import type { CallMeta } from '../../channel/frames.ts';
import type { Call } from '../../handle/call/call.ts';
import { priorityRank } from '../../handle/queue/priority.ts';
import { Capture, RESULT } from '../../values/capture.ts';
import type { HostContext, HostExchange } from '../exchange.ts';
import { parseRouting, type RequestRouting, type ResolvedMiddlewareOptions } from '../middleware-options.ts';
import {
  clientIp,
  givenTimeout,
  givenTraceparent,
  givenTracestate,
  mountPath,
  routeParams,
} from './request-head.ts';
import type { RouteLabels } from './route-labels.ts';

/** The parts of an exchange that describe a call. */
type Described = Pick<HostExchange, 'req' | 'context' | 'url' | 'originalUrl'> & {
  /** The object that knows the client's address, if it is not the one that hooks get. */
  readonly client?: HostContext;
};

/** The deadline of a request: the earliest of those of the deployment, the middleware and the client; 0 = none. */
export function deadlineOf(
  call: Call,
  { req }: Pick<HostExchange, 'req'>,
  { requestTimeoutMs }: ResolvedMiddlewareOptions,
): number {
  let limit = call.route.config.requestTimeoutMs || Infinity;
  limit = Math.min(limit, requestTimeoutMs || Infinity);
  limit = Math.min(limit, givenTimeout(req) ?? Infinity);
  return limit === Infinity ? 0 : call.createdAt + limit;
}

/** The path at which the host says that it serves an app, for a request whose mount path is not known. */
export function routeLabel(prefix: string, { path }: ResolvedMiddlewareOptions): string {
  return prefix || (path ?? '/');
}

/**
 * Gives a call its metadata: the host's knowledge about the request. Calls the app's hooks, which may throw.
 */
export function describeCall(
  call: Call,
  { req, context, url, originalUrl, client = context }: Described,
  prefix: string,
  requestId: string,
  options: ResolvedMiddlewareOptions,
  routes: RouteLabels,
): void {
  const { locals, call: routing, path } = options;
  const { config } = call.route;
  const params = routeParams(context);
  const mount = mountPath(originalUrl, url, prefix);
  const meta: CallMeta = {
    requestId,
    route: path ?? (mount === prefix ? prefix || '/' : routes.of(mount, params)),
  };
  call.meta = meta;
  const traceparent = givenTraceparent(req);
  if (traceparent !== undefined) {
    meta.traceparent = traceparent;
    const tracestate = givenTracestate(req);
    if (tracestate !== undefined) meta.tracestate = tracestate;
  }
  call.priorityRank = config.priorityRank;
  const ip = clientIp(req, client);
  if (ip !== undefined) meta.ip = ip;
  if (params !== undefined) meta.params = params;
  if (mount !== '') meta.mountPath = mount;
  if (locals !== undefined) {
    const capture = new Capture();
    const value = locals(context);
    meta.locals = config.isByReference ? value : capture.take(value, 'middleware.locals', RESULT);
    call.marks = capture.marks;
  }
  if (routing !== undefined) describeRouting(call, meta, parseRouting(routing, context));
  call.trace();
}

function describeRouting(
  call: Call,
  meta: CallMeta,
  { tenant, sessionId, multiplexedModelId, priority }: RequestRouting,
): void {
  if (tenant !== undefined) meta.tenant = tenant;
  if (sessionId !== undefined) meta.sessionId = sessionId;
  if (multiplexedModelId !== undefined) meta.multiplexedModelId = multiplexedModelId;
  if (priority !== undefined) {
    meta.priority = priorityRank(priority);
    call.priorityRank = meta.priority;
  }
}
