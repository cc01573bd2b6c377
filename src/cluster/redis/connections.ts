import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import { invalidOption } from '../../errors.ts';
import { missingClient, type ReadyClient, type RedisSettings } from './settings.ts';
import { withFiles } from './tls-files.ts';

/** Time after which an unanswered command has failed, in ms: nothing waits for Redis. */
export const COMMAND_TIMEOUT_MS = 1_000;
const MIN_RECONNECT_MS = 50;
export const MAX_RECONNECT_MS = 2_000;
/** Redirections of one command: a fleet's keys share one slot, which moves rarely. */
const MAX_REDIRECTIONS = 4;

/** A client of ioredis, of one server (found by Sentinel, perhaps) or of a Cluster. */
export type Connection = Redis | Cluster;

/** The parts of ioredis that are used. */
export type Ioredis = Pick<typeof import('ioredis'), 'Redis' | 'Cluster'>;

const reconnectPauseMs = (times: number): number =>
  Math.min(MAX_RECONNECT_MS, MIN_RECONNECT_MS * 2 ** Math.min(times, 10));

/** Options of every connection to one server. Commands fail at once without a connection, and are never sent twice. */
const SERVER: RedisOptions = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  // The client subscribes itself: ioredis leaves the failure of its own attempt unhandled, which would end the thread.
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  commandTimeout: COMMAND_TIMEOUT_MS,
  connectTimeout: COMMAND_TIMEOUT_MS,
  retryStrategy: reconnectPauseMs,
  // A primary that became a replica answers READONLY, one that starts LOADING: another connection may find the new one.
  reconnectOnError: ({ message }) => /^(?:READONLY|LOADING|MASTERDOWN)/.test(message),
  // The keys have a prefix of their own, which scripts use as well.
  keyPrefix: '',
  // The client info would cost two more commands on each connection.
  disableClientInfo: true,
};

const CLUSTER: ClusterOptions = {
  lazyConnect: true,
  enableOfflineQueue: false,
  maxRedirections: MAX_REDIRECTIONS,
  slotsRefreshTimeout: COMMAND_TIMEOUT_MS,
  clusterRetryStrategy: reconnectPauseMs,
  keyPrefix: '',
};

/**
 * Returns a maker of connections, none of which is open yet.
 *
 * @throws ServeError `SERVE_MISSING_DEPENDENCY` if ioredis is not installed; `SERVE_INVALID_OPTION`
 */
export async function connector(
  { url, options = {}, module, client }: RedisSettings,
  load: () => Promise<Ioredis> = loadIoredis,
): Promise<() => Promise<Connection>> {
  if (client !== undefined) return async () => duplicateOf(client);
  if (module !== undefined) {
    const make = await factoryOf(module);
    return async () => (await make(SERVER)) as Connection;
  }
  const { Redis: Server, Cluster: Nodes } = await load();
  if (url !== undefined) return async () => new Server(url, SERVER);
  const { cluster, ...rest } = options;
  if (cluster === undefined) {
    const settings = { ...withFiles(rest), ...SERVER };
    return async () => new Server(settings);
  }
  const nodes = cluster as ClusterNode[];
  const settings = clusterOptions(rest);
  return async () => new Nodes(nodes, settings);
}

async function loadIoredis(): Promise<Ioredis> {
  try {
    const loaded: Partial<Ioredis> & { readonly default?: unknown } = await import('ioredis');
    // ioredis is CommonJS: its chunk in a bundle has only a default export.
    return (loaded.Redis === undefined ? loaded.default : loaded) as Ioredis;
  } catch (cause) {
    throw missingClient(cause);
  }
}

/** @throws ServeError `SERVE_INVALID_OPTION` if the module exports no factory */
async function factoryOf(module: string): Promise<(settings: RedisOptions) => unknown> {
  const { default: make } = (await import(module)) as { default?: unknown };
  if (typeof make === 'function') return make as (settings: RedisOptions) => unknown;
  throw invalidOption(
    'redis.module',
    module,
    'a module whose default export is a function that makes a client',
  );
}

/** A connection with the client's settings. The client itself is not used: it may wait for ever, and the app uses it as well. */
function duplicateOf(client: ReadyClient): Connection {
  if (client.isCluster !== true) return (client as unknown as Redis).duplicate(SERVER);
  const cluster = client as unknown as Cluster;
  return cluster.duplicate([], clusterOptions({ ...cluster.options }));
}

function clusterOptions(options: Readonly<Record<string, unknown>>): ClusterOptions {
  const { redisOptions } = options as ClusterOptions;
  return { ...options, ...CLUSTER, redisOptions: { ...withFiles({ ...redisOptions }), ...SERVER } };
}
