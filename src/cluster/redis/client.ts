import type { Redis, RedisOptions } from 'ioredis';
import { invalidOption, ServeError } from '../../errors.ts';
import { messageOf } from '../../values/describe-value.ts';
import { FleetStoreError, type StoreFailure } from '../fleet-store.ts';
import type { Script } from './scripts.ts';

/** Time after which an unanswered command has failed, in ms: nothing waits for Redis. */
const COMMAND_TIMEOUT_MS = 1_000;
const MIN_RECONNECT_MS = 50;
const MAX_RECONNECT_MS = 2_000;

export type RedisArgument = string | number | Uint8Array;

/** The functions of Redis that a fleet uses: scripts and one channel. */
export interface RedisClient {
  /** Runs a script; bulk strings of the answer are buffers. @throws FleetStoreError */
  run(script: Script, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
  /**
   * Calls the listener for each message of the channel, until the result is called. The subscription survives
   * reconnects.
   */
  subscribe(channel: string, listener: (message: string) => void): () => void;
  /** Address of this end of the connection; undefined without a connection. */
  readonly localAddress: string | undefined;
  close(): void;
}

/** How to connect to Redis, as plain data: exactly one of `url`, `options` and `module`. */
export interface RedisSettings {
  /** `redis://` or `rediss://` */
  readonly url?: string;
  /** Options of ioredis without functions, such as those for Sentinel. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** URL of a module whose default export makes an ioredis client from the options that the fleet needs. */
  readonly module?: string;
}

/**
 * Connects to Redis with ioredis, which only this file loads. Commands fail at once without a connection, and are never
 * sent twice.
 *
 * @param redis settings, or a URL
 * @throws ServeError `SERVE_MISSING_DEPENDENCY` if ioredis is not installed; `SERVE_INVALID_OPTION`; what the module throws
 */
export async function openRedis(redis: RedisSettings | string): Promise<RedisClient> {
  const { url, options, module }: RedisSettings = typeof redis === 'string' ? { url: redis } : redis;
  const Client = await load();
  const settings: RedisOptions = {
    ...options,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(MAX_RECONNECT_MS, MIN_RECONNECT_MS * 2 ** Math.min(times, 10)),
    // A primary that became a replica answers READONLY, one that starts LOADING: another connection may find the new one.
    reconnectOnError: ({ message }) => /^(?:READONLY|LOADING|MASTERDOWN)/.test(message),
  };
  const client = new IoredisClient(
    module !== undefined
      ? await fromModule(module, settings)
      : url === undefined
        ? new Client(settings)
        : new Client(url, settings),
  );
  await client.connect();
  return client;
}

/** @throws ServeError `SERVE_INVALID_OPTION` if the module exports no factory */
async function fromModule(module: string, settings: RedisOptions): Promise<Redis> {
  const { default: make } = (await import(module)) as { default?: unknown };
  if (typeof make === 'function') return (await make(settings)) as Redis;
  throw invalidOption(
    'redis.module',
    module,
    'a module whose default export is a function that makes a client',
  );
}

async function load(): Promise<typeof Redis> {
  try {
    return (await import('ioredis')).Redis;
  } catch (cause) {
    throw new ServeError('SERVE_MISSING_DEPENDENCY', 'a fleet needs Redis: npm install ioredis', { cause });
  }
}

class IoredisClient implements RedisClient {
  readonly #redis: Redis;
  #subscriber: Redis | undefined = undefined;
  /** Error of the last failed attempt to connect. */
  #connectError: unknown = undefined;

  constructor(redis: Redis) {
    this.#redis = redis;
    // Failures show in the commands; without a listener ioredis writes each attempt to the console.
    redis.on('error', (error: unknown) => {
      this.#connectError = error;
    });
    redis.on('ready', () => {
      this.#connectError = undefined;
    });
  }

  get localAddress(): string | undefined {
    return Reflect.get(this.#redis, 'stream')?.localAddress;
  }

  /** Connects; an unreachable Redis is not an error, since the connection is retried. */
  async connect(): Promise<void> {
    await this.#redis.connect().catch(() => {});
  }

  async run(
    { source, sha }: Script,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args.map(toArgument)];
    try {
      return await this.#redis.callBuffer('EVALSHA', sha, ...rest);
    } catch (error) {
      if (!messageOf(error).startsWith('NOSCRIPT')) throw this.#failure(error);
    }
    try {
      return await this.#redis.callBuffer('EVAL', source, ...rest);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  subscribe(channel: string, listener: (message: string) => void): () => void {
    this.#subscriber ??= this.#openSubscriber();
    const subscriber = this.#subscriber;
    const onMessage = (from: string, message: string): void => {
      if (from === channel) listener(message);
    };
    subscriber.on('message', onMessage);
    const begin = (): void => void subscriber.subscribe(channel).catch(() => {});
    subscriber.on('ready', begin);
    if (subscriber.status === 'ready') begin();
    return () => {
      subscriber.off('message', onMessage);
      subscriber.off('ready', begin);
    };
  }

  close(): void {
    this.#redis.disconnect();
    this.#subscriber?.disconnect();
  }

  /** Converts an error. A command that could not be sent does not name the cause, so the connection's error is used. */
  #failure(error: unknown): FleetStoreError {
    const failure = toFailure(error);
    if (failure.failure !== 'unreachable' || this.#connectError === undefined) return failure;
    return toFailure(this.#connectError);
  }

  #openSubscriber(): Redis {
    const subscriber = this.#redis.duplicate();
    subscriber.on('error', () => {});
    subscriber.connect().catch(() => {});
    return subscriber;
  }
}

function toArgument(argument: RedisArgument): string | number | Buffer {
  if (!(argument instanceof Uint8Array)) return argument;
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
}

/** By the first word of an error of Redis; a script's error names it, or holds that of the command. */
const FAILURES: readonly (readonly [pattern: RegExp, failure: StoreFailure])[] = [
  [/^(?:Command timed out|connect ETIMEDOUT)/, 'timeout'],
  [/\bOOM command not allowed/, 'out-of-memory'],
  [/^(?:-?READONLY)\b|\bREADONLY You can't write/, 'read-only'],
  [/\bNOPERM\b|No permissions? to/, 'no-permission'],
  [/^(?:NOAUTH|WRONGPASS)\b/, 'no-authentication'],
  [/\bWRONGTYPE\b/, 'wrong-type'],
  [/\bMISCONF\b/, 'misconfigured'],
  [/^(?:LOADING|MASTERDOWN|CLUSTERDOWN|MOVED|TRYAGAIN)\b/, 'loading'],
  [
    /Connection is closed|Stream isn't writeable|ECONNREFUSED|ECONNRESET|EPIPE|max retries per request/,
    'unreachable',
  ],
];

function toFailure(error: unknown): FleetStoreError {
  const message = messageOf(error);
  const failure = FAILURES.find(([pattern]) => pattern.test(message))?.[1] ?? 'other';
  return new FleetStoreError(failure, message, error);
}
