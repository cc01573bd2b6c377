import type { IncomingMessage } from 'node:http';
import { NAME_PATTERN } from '../deployment/options/deployment-options.ts';
import { TRIAL_FIELDS, type TrialOptions } from '../deployment/options/trial-options.ts';
import { MODEL_ID } from '../handle/api/model-id.ts';
import { PRIORITIES, type Priority } from '../handle/queue/priority.ts';
import { bytes } from '../validation/bytes.ts';
import { boolean, type Fields, fn, milliseconds, oneOf, parseOptions, string } from '../validation/fields.ts';
import { type WebSocketOptions, webSocket } from './websocket/websocket-options.ts';

/** What `call(req)` may say about a request. */
export interface RequestRouting {
  tenant?: string | undefined;
  priority?: Priority | undefined;
  sessionId?: string | undefined;
  multiplexedModelId?: string | undefined;
}

/** Taken from a method, whose parameters are compared both ways: a hook may ask for a subtype of what it is given. */
type Hook<Req, R> = { hook(req: Req): R }['hook'];

/** `Req`: what the framework's own handlers are given, Express' `req`, Koa's `ctx`, Fastify's `request`. */
export interface MiddlewareOptions<Req = IncomingMessage> extends TrialOptions {
  /** Name of the app. Default: the name of its ingress deployment. */
  name?: string;
  /** Deadline of a request in ms; it can only shorten the ingress deployment's `requestTimeoutMs`. */
  requestTimeoutMs?: number;
  /** Largest request body, in bytes or like `'1mb'`. Default `'1mb'`. */
  bodyLimit?: number | string;
  /** Answer errors with problem details (default), or hand them to the framework. */
  onError?: 'respond' | 'next';
  /** Hand requests that the app answers with 404 to the next handler. Default false. */
  passthrough?: boolean;
  /** What the host knows about the request: `context().locals` in the replica. */
  locals?: Hook<Req, unknown>;
  /** Tenant, priority, session and model of a request. They never come from the client by themselves. */
  call?: Hook<Req, RequestRouting>;
  /**
   * Where the host mounts it, such as `'/speech'`: WebSockets go by this path, since no framework routes them. Needed only
   * for an ingress with `websocket(socket, request)`; see `attachWebSocket`.
   */
  path?: string;
  /** How its WebSockets are taken; what is not said here is as `attachWebSocket` says. */
  webSocket?: WebSocketOptions;
}

export interface ResolvedMiddlewareOptions extends MiddlewareOptions<unknown> {
  /** Bytes. */
  bodyLimit: number;
  onError: 'respond' | 'next';
  passthrough: boolean;
}

const FIELDS: Fields<MiddlewareOptions<unknown>> = {
  name: string('1 to 64 characters of A–Z, a–z, 0–9, _ and -', NAME_PATTERN),
  requestTimeoutMs: milliseconds(),
  bodyLimit: bytes(),
  ...TRIAL_FIELDS,
  onError: oneOf('respond', 'next'),
  passthrough: boolean(),
  locals: fn<Hook<unknown, unknown>>(),
  call: fn<Hook<unknown, RequestRouting>>(),
  path: string("a path that starts with '/'", /^\/[^{}?#\s]*$/),
  webSocket,
};

const ROUTING_FIELDS: Fields<RequestRouting> = {
  tenant: string(),
  priority: oneOf(...PRIORITIES),
  sessionId: string(),
  multiplexedModelId: MODEL_ID,
};

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function parseMiddlewareOptions(options: unknown): ResolvedMiddlewareOptions {
  const parsed = parseOptions<MiddlewareOptions<unknown>>(options, FIELDS, 'middleware');
  return {
    onError: 'respond',
    passthrough: false,
    ...parsed,
    bodyLimit: (parsed.bodyLimit as number) ?? 1_048_576,
  };
}

/** @throws ServeError `SERVE_INVALID_OPTION` if the app's `call` hook answers something else */
export function parseRouting(hook: Hook<unknown, RequestRouting>, context: unknown): RequestRouting {
  return parseOptions<RequestRouting>(hook(context) ?? {}, ROUTING_FIELDS, 'middleware.call(req)');
}
