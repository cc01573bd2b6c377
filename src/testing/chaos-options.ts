import {
  boolean,
  type Fields,
  integer,
  milliseconds,
  number,
  parseOptions,
  string,
} from '../validation/fields.ts';

/** Faults of one direction of a connection. As TCP guarantees, no byte is lost or reordered. */
export interface ChaosSettings {
  /** Delay of each piece, in ms. Default 0 */
  latencyMs?: number;
  /** Further delay, from 0 to this, in ms; another one for each piece. Pieces never overtake. Default 0 */
  jitterMs?: number;
  /** Bandwidth in bytes per second. Default: no limit */
  bytesPerSecond?: number;
  /** Bytes arrive in pieces of 1 to this many, each on its own. Default: as they come */
  sliceBytes?: number;
  /** Nothing arrives while the connection stays open, as in a partition. Held-back bytes arrive when it ends. Default false */
  stall?: boolean;
  /** The end or the reset of the sending side is not passed on, so that the other side keeps a half-open connection. Default false */
  halfOpen?: boolean;
  /** Resets a connection (RST) after this many bytes. Default: never */
  resetAfterBytes?: number;
}

export interface ChaosProxyOptions {
  /** Port to pass connections on to. */
  targetPort: number;
  /** Default `127.0.0.1` */
  targetHost?: string;
  /** Default: a free one */
  port?: number;
  /** Default `127.0.0.1` */
  host?: string;
  /** Seed of all random numbers. Default 1 */
  seed?: number;
}

const MAX_BYTES = Number.MAX_SAFE_INTEGER;
const MAX_PORT = 65_535;

const SETTINGS: Fields<ChaosSettings> = {
  latencyMs: milliseconds(),
  jitterMs: milliseconds(),
  bytesPerSecond: number(1, MAX_BYTES),
  sliceBytes: integer(1),
  stall: boolean(),
  halfOpen: boolean(),
  resetAfterBytes: integer(0, MAX_BYTES),
};

const OPTIONS: Fields<ChaosProxyOptions> = {
  targetPort: integer(1, MAX_PORT),
  targetHost: string(),
  port: integer(0, MAX_PORT),
  host: string(),
  seed: integer(0),
};

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function parseSettings(settings: ChaosSettings): ChaosSettings {
  return parseOptions<ChaosSettings>(settings, SETTINGS, 'chaos');
}

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function parseProxyOptions(options: ChaosProxyOptions): ChaosProxyOptions {
  return parseOptions<ChaosProxyOptions>(options, OPTIONS, 'chaosProxy');
}
