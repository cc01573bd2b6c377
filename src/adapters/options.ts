import type { IncomingMessage } from 'node:http';
import { NAME_PATTERN } from '../deployment/options.ts';
import { invalidOption } from '../errors.ts';
import { PRIORITIES, type Priority } from '../handle/priority.ts';
import {
  boolean,
  type Field,
  type Fields,
  fn,
  milliseconds,
  oneOf,
  parseOptions,
  string,
} from '../validation/fields.ts';

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
export interface MiddlewareOptions<Req = IncomingMessage> {
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
}

export interface ResolvedMiddlewareOptions extends MiddlewareOptions<unknown> {
  /** Bytes. */
  bodyLimit: number;
  onError: 'respond' | 'next';
  passthrough: boolean;
}

const UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 };

const BYTES_ALLOWED = "a number of bytes, or a text like '100kb', '1mb', '1gb'";

const bytes: Field<number> = {
  allowed: BYTES_ALLOWED,
  parse(value, option) {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb)$/i.exec(value) : null;
    if (match === null) throw invalidOption(option, value, BYTES_ALLOWED);
    return Math.floor(Number(match[1]) * (UNITS[(match[2] as string).toLowerCase()] as number));
  },
};

const FIELDS: Fields<MiddlewareOptions<unknown>> = {
  name: string('1 to 64 characters of A–Z, a–z, 0–9, _ and -', NAME_PATTERN),
  requestTimeoutMs: milliseconds(),
  bodyLimit: bytes,
  onError: oneOf('respond', 'next'),
  passthrough: boolean(),
  locals: fn<Hook<unknown, unknown>>(),
  call: fn<Hook<unknown, RequestRouting>>(),
};

const ROUTING_FIELDS: Fields<RequestRouting> = {
  tenant: string(),
  priority: oneOf(...PRIORITIES),
  sessionId: string(),
  multiplexedModelId: string(),
};

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function parseMiddlewareOptions(options: unknown): ResolvedMiddlewareOptions {
  const parsed = parseOptions<MiddlewareOptions<unknown>>(options, FIELDS, 'middleware');
  return {
    onError: 'respond',
    passthrough: false,
    ...parsed,
    bodyLimit: (parsed.bodyLimit as number) ?? UNITS['mb'],
  };
}

/** @throws ServeError `SERVE_INVALID_OPTION` if the app's `call` hook answers something else */
export function parseRouting(hook: Hook<unknown, RequestRouting>, context: unknown): RequestRouting {
  return parseOptions<RequestRouting>(hook(context) ?? {}, ROUTING_FIELDS, 'middleware.call(req)');
}
