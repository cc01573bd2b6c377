import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServeError } from '../errors.ts';
import { type HttpTarget, handleHttp, type Next } from './http.ts';
import type { ResolvedMiddlewareOptions } from './options.ts';
import { sendProblem, toFrameworkError, toProblem } from './problem.ts';
import { givenRequestId } from './request-head.ts';

/**
 * Middleware for Express, and a plain `node:http` request listener. Deploying starts in the background when it is made.
 */
export interface ServeMiddleware {
  (req: IncomingMessage, res: ServerResponse, next?: Next): void;
  /** Resolves once the app can serve; rejects with `SERVE_DEPLOY_FAILED`. */
  ready(): Promise<void>;
}

/** An answer that needs no app: text, or JSON. */
export interface ControlAnswer {
  readonly status: number;
  readonly json: unknown;
}

/** What answers a request: an app, one of the control paths, nobody because there is no such app, or nobody any more. */
export type Destination = HttpTarget | ControlAnswer | 'unknown' | 'closing';

/** Where requests go. */
export interface Destinations {
  find(req: IncomingMessage): Destination;
  /** A unique id for a request that brings none. */
  nextRequestId(): string;
  /** Resolves once the apps can serve. */
  ready(): Promise<void>;
}

export function createMiddleware(
  destinations: Destinations,
  options: ResolvedMiddlewareOptions,
): ServeMiddleware {
  const serveMiddleware = (req: IncomingMessage, res: ServerResponse, next?: Next): void => {
    const destination = destinations.find(req);
    if (typeof destination !== 'string') {
      if ('route' in destination) handleHttp(req, res, next, destination, options);
      else sendJson(res, destination);
    } else if (destination === 'unknown' && next !== undefined && options.passthrough) {
      next();
    } else {
      refuse(req, res, next, options, toError(destination), destinations);
    }
  };
  return Object.assign(serveMiddleware, { ready: () => destinations.ready() });
}

function toError(destination: 'unknown' | 'closing'): ServeError {
  return destination === 'closing'
    ? new ServeError('SERVE_UNAVAILABLE', 'the instance is closing')
    : new ServeError('SERVE_NOT_FOUND', 'no app serves this path');
}

function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  next: Next | undefined,
  { onError }: ResolvedMiddlewareOptions,
  error: ServeError,
  destinations: Destinations,
): void {
  const problem = toProblem(error);
  if (next !== undefined && onError === 'next') next(toFrameworkError(error, problem));
  else sendProblem(res, problem, givenRequestId(req) ?? destinations.nextRequestId());
}

function sendJson(res: ServerResponse, { status, json }: ControlAnswer): void {
  const body = typeof json === 'string' ? json : JSON.stringify(json);
  const type = typeof json === 'string' ? 'text/plain' : 'application/json';
  res.statusCode = status;
  res.setHeader('content-type', `${type}; charset=utf-8`);
  res.setHeader('content-length', Buffer.byteLength(body));
  res.end(body);
}
