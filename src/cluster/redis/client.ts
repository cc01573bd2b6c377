import { time } from '../../time/clock.ts';
import { withTimeout } from '../../time/timeout.ts';
import { messageOf } from '../../values/describe-value.ts';
import { FleetStoreError } from '../fleet-store.ts';
import {
  COMMAND_TIMEOUT_MS,
  type Connection,
  connector,
  type Ioredis,
  MAX_RECONNECT_MS,
} from './connections.ts';
import { toConnectFailure, toFailure } from './failures.ts';
import type { Script } from './scripts.ts';
import type { RedisSettings } from './settings.ts';

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

/**
 * Connects to Redis with ioredis. Commands fail at once without a connection, and after a second without an answer.
 *
 * @param redis settings, or a URL
 * @param load loads ioredis. Default: the installed package
 * @throws ServeError `SERVE_MISSING_DEPENDENCY` if ioredis is not installed; `SERVE_INVALID_OPTION`; what the module throws
 */
export async function openRedis(
  redis: RedisSettings | string,
  load?: () => Promise<Ioredis>,
): Promise<RedisClient> {
  const make = await connector(typeof redis === 'string' ? { url: redis } : redis, load);
  const commands = await make();
  // A connection to one server that subscribes can do nothing else. A Cluster has connections for that.
  const client = new IoredisClient(commands, commands.isCluster ? commands : await make());
  await client.connect();
  return client;
}

class IoredisClient implements RedisClient {
  readonly #redis: Connection;
  readonly #subscriber: Connection;
  /** Error of the last failed attempt to connect. */
  #connectError: unknown = undefined;
  #isClosed = false;

  constructor(redis: Connection, subscriber: Connection) {
    this.#redis = redis;
    this.#subscriber = subscriber;
    // Failures show in the commands; without a listener ioredis writes each attempt to the console.
    const onError = (error: unknown): void => {
      this.#connectError = error;
    };
    redis.on('error', onError);
    redis.on('node error', onError);
    redis.on('ready', () => {
      this.#connectError = undefined;
    });
    redis.on('end', () => this.#reopen(redis));
    if (subscriber === redis) return;
    subscriber.on('error', () => {});
    subscriber.on('end', () => this.#reopen(subscriber));
  }

  get localAddress(): string | undefined {
    const server = 'nodes' in this.#redis ? this.#redis.nodes('master')[0] : this.#redis;
    return server && Reflect.get(server, 'stream')?.localAddress;
  }

  /** Connects; an unreachable Redis is not an error, since the connection is retried. */
  async connect(): Promise<void> {
    await limited(this.#redis.connect()).catch(() => {});
  }

  async run(
    { source, sha }: Script,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args.map(toArgument)];
    try {
      return await limited(this.#redis.callBuffer('EVALSHA', sha, ...rest));
    } catch (error) {
      if (!messageOf(error).includes('NOSCRIPT')) throw this.#failure(error);
    }
    try {
      return await limited(this.#redis.callBuffer('EVAL', source, ...rest));
    } catch (error) {
      throw this.#failure(error);
    }
  }

  subscribe(channel: string, listener: (message: string) => void): () => void {
    const subscriber = this.#subscriber;
    const onMessage = (from: string, message: string): void => {
      if (from === channel) listener(message);
    };
    subscriber.on('message', onMessage);
    const begin = (): void => void subscriber.subscribe(channel).catch(() => {});
    subscriber.on('ready', begin);
    if (subscriber.status === 'ready') begin();
    else if (subscriber.status === 'wait') subscriber.connect().catch(() => {});
    return () => {
      subscriber.off('message', onMessage);
      subscriber.off('ready', begin);
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#redis.disconnect();
    if (this.#subscriber !== this.#redis) this.#subscriber.disconnect();
  }

  /** Converts an error. A command that could not be sent does not name the cause, so the connection's error is used. */
  #failure(error: unknown): FleetStoreError {
    const failure = toFailure(error);
    if (failure.failure !== 'unreachable' || this.#connectError === undefined) return failure;
    return toConnectFailure(this.#connectError);
  }

  /** ioredis gives up a connection after some failures, or if a strategy of the app says so; a fleet never gives up. */
  #reopen(connection: Connection): void {
    if (this.#isClosed) return;
    const timer = time.after(MAX_RECONNECT_MS, () => {
      if (!this.#isClosed && connection.status === 'end') connection.connect().catch(() => {});
    });
    timer.unref();
  }
}

/** An answer, for which nothing waits longer than a second: clients of a module may have no time limit. */
async function limited<T>(answer: Promise<T>): Promise<T> {
  const late = (): FleetStoreError =>
    new FleetStoreError('timeout', `Redis did not answer within ${COMMAND_TIMEOUT_MS} ms`);
  return await withTimeout(answer, COMMAND_TIMEOUT_MS, late, false);
}

function toArgument(argument: RedisArgument): string | number | Buffer {
  if (!(argument instanceof Uint8Array)) return argument;
  return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
}
