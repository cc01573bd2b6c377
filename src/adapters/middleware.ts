import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServeError } from '../errors.ts';
import type { IngressCounts } from '../observe/http-counts.ts';
import { fromNode, type HostContext, type HostExchange, type HttpResponse, type Next } from './exchange.ts';
import { inspectServerOf } from './host-server.ts';
import { type HttpTarget, handleHttp } from './http.ts';
import { fromKoa, type KoaContext, type KoaNext } from './koa-exchange.ts';
import type { ResolvedMiddlewareOptions } from './middleware-options.ts';
import type { Mount } from './mounts.ts';
import { givenRequestId } from './request/request-head.ts';
import { sendProblem, toFrameworkError, toProblem } from './response/problem.ts';
import { Refusal } from './response/refusal.ts';
import { isWebSocket, UPGRADE_TO_WEBSOCKET } from './websocket/handshake.ts';

/**
 * Middleware for Express, Koa and Fastify's `@fastify/middie`, and a request listener for plain `node:http`; its arguments tell
 * which of them calls it. Making the middleware starts to deploy the app in the background.
 */
export interface ServeMiddleware {
  (req: IncomingMessage, res: ServerResponse, next?: Next): void;
  (ctx: KoaContext, next: KoaNext): Promise<void>;
  /** Resolves once the app can serve; rejects with `SERVE_DEPLOY_FAILED`. */
  ready(): Promise<void>;
  /** @internal Rejects if the app turns out to answer no requests. Other failures of its start do not reject. */
  exposable(): Promise<void>;
  /** @internal Takes an exchange of any other framework. */
  handle(exchange: HostExchange): void;
}

/** @internal An answer that needs no app: text or JSON. */
export interface ControlAnswer {
  readonly status: number;
  readonly json: unknown;
}

/**
 * @internal The destination of a request: an app, the answer of a control path, the error of an app that cannot be exposed, or none
 * because there is no such app or the instance is closing.
 */
export type Destination = HttpTarget | ControlAnswer | ServeError | 'unknown' | 'closing';

/** @internal Finds the destinations of the requests to one middleware. */
export interface Destinations {
  /** The mount of the middleware, which is kept alive by this reference. */
  readonly mount?: Mount | undefined;
  find(url: string): Destination;
  /** Whether the instance is shutting down, so that clients connect elsewhere. */
  isLeaving(): boolean;
  /** Makes a unique id for a request that has none. */
  nextRequestId(): string;
  /** The counts of requests that are answered without an app. */
  readonly unrouted: IngressCounts;
  /** Rejects if the app answers no requests; settles as soon as that is known. */
  exposable(): Promise<void>;
  /** Resolves once the apps can serve; rejects if the app of the middleware answers no requests. */
  ready(): Promise<void>;
}

/** @internal */
export function createMiddleware(
  destinations: Destinations,
  options: ResolvedMiddlewareOptions,
): ServeMiddleware {
  const handle = (exchange: HostExchange): void => {
    const destination = destinations.find(exchange.url);
    const { next, settled } = exchange;
    if (typeof destination !== 'string' && !(destination instanceof ServeError)) {
      if ('route' in destination) {
        inspectServerOf(exchange.req, destination.log);
        const isMissed = isWebSocket(exchange.req) && destination.missedUpgrade(exchange);
        // With `passthrough` the next handler may answer a missed upgrade.
        if (isMissed && !options.passthrough) refuse(exchange, upgradeRequired());
        else handleHttp(exchange, destination, options);
        return;
      }
      if (destinations.isLeaving()) exchange.res.shouldKeepAlive = false;
      sendJson(exchange.res, destination);
      settled?.();
    } else if (next !== undefined && destination === 'unknown' && options.passthrough) {
      next();
      return;
    } else {
      refuse(exchange, toError(destination));
    }
  };
  const refuse = ({ req, res, next, settled }: HostExchange, error: Error): void => {
    if (destinations.isLeaving()) res.shouldKeepAlive = false;
    const problem = toProblem(error);
    destinations.unrouted.record('', req.method, problem.status);
    if (next !== undefined && options.onError === 'next') {
      next(toFrameworkError(error, problem));
      return;
    }
    sendProblem(res, problem, givenRequestId(req) ?? destinations.nextRequestId());
    settled?.();
  };
  const mayLeave = options.passthrough || options.onError === 'next';
  // Three parameters, because Express takes a function of four for an error handler.
  function serveMiddleware(
    first: IncomingMessage | KoaContext,
    second: ServerResponse | KoaNext,
    next?: Next,
  ): void | Promise<void> {
    if (typeof second === 'function') return fromKoa(first as KoaContext, second, handle, mayLeave);
    handle(fromNode(first as IncomingMessage & HostContext, second, next));
  }
  return Object.assign(serveMiddleware as ServeMiddleware, {
    ready: () => destinations.ready(),
    exposable: () => destinations.exposable(),
    handle,
  });
}

function toError(destination: ServeError | 'unknown' | 'closing'): ServeError {
  if (destination instanceof ServeError) return destination;
  return destination === 'closing'
    ? new ServeError('SERVE_UNAVAILABLE', 'the instance is closing')
    : new ServeError('SERVE_NOT_FOUND', 'no app serves this path');
}

function upgradeRequired(): Refusal {
  return new Refusal(
    426,
    'UPGRADE_REQUIRED',
    'this WebSocket arrived as a plain request instead of an upgrade',
    UPGRADE_TO_WEBSOCKET,
  );
}

function sendJson(res: HttpResponse, { status, json }: ControlAnswer): void {
  const body = typeof json === 'string' ? json : JSON.stringify(json);
  const type = typeof json === 'string' ? 'text/plain' : 'application/json';
  res.statusCode = status;
  res.setHeader('content-type', `${type}; charset=utf-8`);
  res.setHeader('content-length', Buffer.byteLength(body));
  res.setHeader('cache-control', 'no-store');
  res.end(body);
}
