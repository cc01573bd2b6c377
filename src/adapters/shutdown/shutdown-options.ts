import type { Server } from 'node:net';
import { invalidOption } from '../../errors.ts';
import { type Fields, instanceOf, listOf, milliseconds, parseOptions } from '../../validation/fields.ts';

export interface ShutdownOptions {
  /**
   * The signals that begin the shutdown, such as `['SIGTERM', 'SIGINT']`; a second one of them ends the process at once.
   * Default: none, and the shutdown begins at once.
   */
  signals?: readonly NodeJS.Signals[];
  /**
   * Time for which the server still takes requests while `ready()` is false, in ms, so that load balancers have time to notice.
   * Default 5 000.
   */
  drainDelayMs?: number;
  /** Time in which requests may end after that, in ms; then their connections are closed. Default 20 000. */
  timeoutMs?: number;
}

/** A server of `node:http`, `node:https` or `node:http2`, as `app.listen()` of Express and Koa returns it, or a Fastify instance. */
export type ShutdownServer = Server | { readonly server: Server; close(): unknown };

/** Names of signals, as in `process.on('SIGTERM', …)`. */
const SIGNAL = instanceOf<NodeJS.Signals>(
  "the name of a signal, such as 'SIGTERM'",
  (value) => typeof value === 'string' && /^SIG[A-Z0-9]{2,10}$/.test(value) && !UNCATCHABLE.has(value),
);

/** Signals that no process can listen to. */
const UNCATCHABLE: ReadonlySet<string> = new Set(['SIGKILL', 'SIGSTOP']);

const FIELDS: Fields<ShutdownOptions> = {
  signals: listOf(SIGNAL),
  drainDelayMs: milliseconds(),
  timeoutMs: milliseconds(),
};

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function parseShutdownOptions(options: unknown): Required<ShutdownOptions> {
  const parsed = parseOptions<ShutdownOptions>(options, FIELDS, 'shutdown');
  return { signals: [], drainDelayMs: 5_000, timeoutMs: 20_000, ...parsed };
}

/** A server together with what must end it. */
export interface StoppableServer {
  readonly servers: readonly Server[];
  /** Runs the hooks of the framework, once all requests have ended. */
  close(): unknown;
}

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function stoppable(given: ShutdownServer): StoppableServer {
  if (isServer(given)) return { servers: [given], close: () => undefined };
  const server: unknown = typeof given === 'object' && given !== null ? given.server : undefined;
  if (!isServer(server))
    throw invalidOption(
      'shutdown(server)',
      given,
      'the server that app.listen() returns, or a Fastify instance',
    );
  return { servers: [server, ...otherBindings(given)], close: () => given.close() };
}

/** Fastify listens to `localhost` with a server for each of its addresses, of which `fastify.server` is the first. */
function otherBindings(fastify: object): Server[] {
  const symbol = Object.getOwnPropertySymbols(fastify).find(
    ({ description }) => description === 'fastify.serverBindings',
  );
  const bindings: unknown = symbol === undefined ? [] : Reflect.get(fastify, symbol);
  return Array.isArray(bindings) ? bindings.filter(isServer) : [];
}

/** Express' and Koa's apps have `listen` and `on` as well, but no address. */
function isServer(value: unknown): value is Server {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'address') === 'function' &&
    typeof Reflect.get(value, 'prependListener') === 'function'
  );
}
