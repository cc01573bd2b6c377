import type { IncomingMessage } from 'node:http';
import { BoundDeployment } from '../deployment/bound.ts';
import { NAME_PATTERN } from '../deployment/options/deployment-options.ts';
import { TRIAL_FIELDS, type TrialOptions } from '../deployment/options/trial-options.ts';
import { invalidOption } from '../errors.ts';
import { MODEL_ID } from '../handle/api/model-id.ts';
import { PRIORITIES, type Priority } from '../handle/queue/priority.ts';
import { bytes, MIB } from '../validation/bytes.ts';
import { boolean, type Fields, fn, milliseconds, oneOf, parseOptions, string } from '../validation/fields.ts';
import { isInstance } from '../validation/peek.ts';
import { type WebSocketOptions, webSocket } from './websocket/websocket-options.ts';

/** The result of `call(req)` for a request: settings of its call, as in `HandleOptions`. */
export interface RequestRouting {
  tenant?: string | undefined;
  priority?: Priority | undefined;
  sessionId?: string | undefined;
  multiplexedModelId?: string | undefined;
}

/** A function type whose parameter is bivariant, as those of methods are: a hook may declare a subtype of `Req`. */
type Hook<Req, R> = { hook(req: Req): R }['hook'];

/** `Req` is the object that the framework gives to its own handlers: Express' `req`, Koa's `ctx`, Fastify's `request`. */
export interface MiddlewareOptions<Req = IncomingMessage> extends TrialOptions {
  /** Name of the app. Default: the name of its ingress deployment. */
  name?: string;
  /** Deadline of a request in ms; it can only shorten the ingress deployment's `requestTimeoutMs`. */
  requestTimeoutMs?: number;
  /** Maximum size of a request body, in bytes or like `'1mb'`. Default `'1mb'`. */
  bodyLimit?: number | string;
  /** Whether errors are answered with problem details (default) or handed to the framework. */
  onError?: 'respond' | 'next';
  /** Whether requests that the app answers with 404 are handed to the next handler. Default false. */
  passthrough?: boolean;
  /** Returns data of the host about the request, which becomes `context().locals` in the replica. */
  locals?: Hook<Req, unknown>;
  /** Returns the tenant, priority, session and model of a request. They are never taken from the client's headers. */
  call?: Hook<Req, RequestRouting>;
  /**
   * The path at which the host mounts the middleware, such as `'/speech'`. WebSockets are routed by this path, because
   * frameworks do not route them. Needed only for an ingress with `websocket(socket, request)`; see `attachWebSocket`.
   */
  path?: string;
  /** The options for its WebSockets. Default: the options of `attachWebSocket`. */
  webSocket?: WebSocketOptions;
}

export interface ResolvedMiddlewareOptions extends MiddlewareOptions<unknown> {
  /** The largest request body, in bytes. */
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
  if (isInstance(options, BoundDeployment)) {
    const allowed = 'options; the app is the first argument: app.use(path, serve.middleware(app, options))';
    throw invalidOption('middleware(app, options)', options, allowed);
  }
  const parsed = parseOptions<MiddlewareOptions<unknown>>(options, FIELDS, 'middleware');
  return {
    onError: 'respond',
    passthrough: false,
    ...parsed,
    bodyLimit: (parsed.bodyLimit as number) ?? MIB,
  };
}

/** @throws ServeError `SERVE_INVALID_OPTION` if the `call` hook returns anything but a `RequestRouting` */
export function parseRouting(hook: Hook<unknown, RequestRouting>, context: unknown): RequestRouting {
  return parseOptions<RequestRouting>(hook(context) ?? {}, ROUTING_FIELDS, 'middleware.call(req)');
}
