import { ServeError } from '../../errors.ts';

/** A client of ioredis that the app has made itself, for one server, Sentinel or Cluster. */
export interface ReadyClient {
  readonly isCluster?: boolean;
  duplicate(...args: never[]): unknown;
  callBuffer(...args: never[]): unknown;
}

/** Settings for connecting to Redis: exactly one of `url`, `options`, `module` and `client`. All but `client` are plain data. */
export interface RedisSettings {
  /** `redis://` or `rediss://` */
  readonly url?: string;
  /** Options of ioredis without functions: one server, `sentinels` and `name`, or `cluster` with a list of nodes. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** URL of a module whose default export makes an ioredis client from the options that the fleet needs. */
  readonly module?: string;
  /** A client whose settings are used on the host's thread, since they may hold functions. */
  readonly client?: ReadyClient;
}

/** Whether a value is a client of ioredis, and not its options. */
export function isReadyClient(value: unknown): value is ReadyClient {
  if (typeof value !== 'object' || value === null) return false;
  return ['duplicate', 'callBuffer'].every((name) => typeof Reflect.get(value, name) === 'function');
}

/** The error where ioredis is not installed. */
export function missingClient(cause: unknown): ServeError {
  return new ServeError('SERVE_MISSING_DEPENDENCY', 'a fleet needs a client of Redis: npm install ioredis', {
    cause,
  });
}
