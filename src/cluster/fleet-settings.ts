import { isIP } from 'node:net';
import { invalidOption } from '../errors.ts';
import { bytes } from '../validation/bytes.ts';
import {
  boolean,
  either,
  type Field,
  type Fields,
  instanceOf,
  integer,
  isPlainObject,
  listOf,
  object,
  string,
} from '../validation/fields.ts';
import { AddressFilter, type AddressRules } from '../wire/addresses.ts';
import type { LinkCertificates } from '../wire/security.ts';
import type { FleetOptions } from './fleet-options.ts';
import { isReadyClient, type ReadyClient, type RedisSettings } from './redis/settings.ts';
import { isRedisUrl, MIN_SECRET_BYTES, SECRET_FIELD, withoutCredentials } from './secret-fields.ts';
import { readCertificates } from './tls/certificates.ts';

/** The smallest limit for a frame, in bytes: the instances' own frames must pass. */
const MIN_PAYLOAD_BYTES = 65_536;

/** How an instance reaches Redis. */
export type RedisOption =
  /** `redis://` or `rediss://` */
  | string
  /** URL of a module whose default export makes an ioredis client from given options, for credentials that rotate. */
  | { readonly module: string }
  /** Nodes of a Cluster, beside options of ioredis for it. */
  | { readonly cluster: ReadonlyArray<{ readonly host: string; readonly port: number }> }
  /**
   * A client of ioredis, whose settings are used for connections on the host's thread: while its event loop is blocked, the
   * instance appears dead to the others.
   */
  | ReadyClient
  /**
   * Options of ioredis without functions, such as those for Sentinel: they go to another thread. In `tls`, `ca`, `cert` and
   * `key` may be paths of files, which are read for each connection.
   */
  | Readonly<Record<string, unknown>>;

export interface FleetListenOptions {
  /** IP address. Default `'127.0.0.1'`, which only peers on the same machine reach. */
  host?: string;
  /** 0 = any free port. Default 0. */
  port?: number;
}

/** The instance's part in a fleet. */
export interface FleetSettings {
  /** Name of the fleet, which separates several fleets in one Redis. Default `'default'`. */
  name?: string;
  /** Address at which peers reach the instance. */
  listen?: FleetListenOptions;
  /** IP address that peers dial. Default: `listen.host`; for all interfaces, the local address of the Redis connection. */
  advertise?: string;
  /** Secret of all instances, at least 32 bytes each. Of a list, the first one is used and all are accepted, for rotation. */
  secret?: string | string[];
  /**
   * Certificates instead of keys derived from the secret: PEM, or paths or `file:` URLs of PEM files. Files are read again when
   * they change; open links stay.
   */
  tls?: LinkCertificates;
  /** Networks that may be dialled, such as `10.0.0.0/8`, and ports. Default: the class of the own address, never link-local. */
  allow?: string[] | AddressRules;
  /** Zone of the instance: replicas are spread over zones. Default: none. */
  zone?: string;
  /** Largest frame that the instance accepts, in bytes or like `'64mb'`. Default `'64mb'`. */
  maxPayload?: number | string;
  /** Whether links go without TLS: the secret is proved once, and nothing is encrypted. Default false. */
  trustNetwork?: boolean;
}

const address = instanceOf<string>(
  'an IP address',
  (value) => typeof value === 'string' && isIP(value) !== 0,
);
const dialled = instanceOf<string>(
  'an IP address that peers can dial: not 0.0.0.0, link-local or multicast',
  (value) => typeof value === 'string' && isIP(value) !== 0 && AddressFilter.around(value).allows(value, 1),
);
const port = integer(0, 65_535);
const pem = instanceOf<string | Buffer>(
  'PEM as text or bytes, or the path of a file',
  (value) => typeof value === 'string' || Buffer.isBuffer(value),
);

const MODULE_ALLOWED =
  "a file: URL, such as new URL('./redis.js', import.meta.url).href, or the name of a package";
const REDIS_ALLOWED =
  'a URL such as redis://127.0.0.1:6379, or options of ioredis without functions, a client of ioredis, or { module } that makes one';

/** How an instance reaches Redis. Errors name the part that is wrong, and never show a password. */
export const REDIS_FIELD: Field<RedisOption> = {
  allowed: REDIS_ALLOWED,
  parse(value, option) {
    if (typeof value === 'string') {
      if (isRedisUrl(value)) return value;
      throw invalidOption(option, withoutCredentials(value), REDIS_ALLOWED);
    }
    if (isReadyClient(value)) return value;
    if (!isPlainObject(value) || !hasNodes(value)) throw invalidOption(option, value, REDIS_ALLOWED);
    assertPlain(value, option);
    const { module } = value;
    // The fleet's thread imports it: a relative path would be one beside the library's own files.
    if (typeof module === 'string' && module.startsWith('.'))
      throw invalidOption(`${option}.module`, module, MODULE_ALLOWED);
    return value;
  },
};

export const FLEET_FIELDS: Fields<FleetSettings> = {
  name: string('1 to 64 characters of A–Z, a–z, 0–9, _ . and -', /^[A-Za-z0-9_.-]{1,64}$/),
  listen: object<FleetListenOptions>({ host: address, port }),
  advertise: dialled,
  secret: SECRET_FIELD,
  tls: object<LinkCertificates>({ cert: pem, key: pem, ca: either(pem, listOf(pem)) }),
  allow: either(
    listOf(string('a network such as 10.0.0.0/8')),
    object<AddressRules>({ networks: listOf(string('a network such as 10.0.0.0/8')), ports: listOf(port) }),
  ),
  zone: string('1 to 64 characters', /^[\s\S]{1,64}$/),
  maxPayload: bytes(2 ** 30, MIN_PAYLOAD_BYTES),
  trustNetwork: boolean(),
};

/** Environment variables of a fleet, by their names without `INSERVE_FLEET_`. */
type FleetVariable = 'NAME' | 'LISTEN' | 'ADVERTISE' | 'ALLOW' | 'ZONE' | 'SECRET';

/**
 * @internal Fills the settings of a fleet from the environment where they are not given: `INSERVE_FLEET_NAME`, `_LISTEN` (`host:port`,
 * IPv6 in brackets), `_ADVERTISE`, `_ALLOW` (networks with commas), `_SECRET` (one per line), `_ZONE`.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` without a secret, for networks that are none, and for certificates that cannot be read
 */
export function fleetOptions(
  redis: RedisOption,
  given: FleetSettings = {},
  environment: NodeJS.ProcessEnv = process.env,
): FleetOptions {
  const variable = (name: FleetVariable): string | undefined =>
    environment[`INSERVE_FLEET_${name}`] || undefined;
  const settings: FleetSettings = { ...fromEnvironment(variable), ...given };
  const {
    name = 'default',
    listen = {},
    allow,
    maxPayload,
    tls,
    trustNetwork,
    advertise,
    zone = '',
  } = settings;
  if (settings.secret === undefined) {
    const hint = `a text of at least ${MIN_SECRET_BYTES} bytes that all instances share, here or in INSERVE_FLEET_SECRET: redis without it is refused`;
    throw invalidOption('createServe.fleet.secret', undefined, hint);
  }
  const rules = Array.isArray(allow) ? { networks: allow } : allow;
  // Made for its checks: what cannot be dialled must be known now.
  if (rules !== undefined) new AddressFilter(rules);
  if (tls !== undefined) readCertificates(tls);
  return {
    name,
    secrets: typeof settings.secret === 'string' ? [settings.secret] : settings.secret,
    listen: { host: listen.host ?? '127.0.0.1', port: listen.port ?? 0 },
    ...(tls !== undefined && { tls }),
    ...(trustNetwork !== undefined && { trustNetwork }),
    ...(rules !== undefined && { allow: rules }),
    ...(maxPayload !== undefined && { maxPayload: maxPayload as number }),
    membership: {
      redis: redisSettings(redis),
      ...(advertise !== undefined && { advertise }),
      zone,
    },
  };
}

function redisSettings(redis: RedisOption): RedisSettings {
  if (typeof redis === 'string') return { url: redis };
  if (isReadyClient(redis)) return { client: redis };
  const { module } = redis as { readonly module?: unknown };
  return typeof module === 'string' ? { module } : { options: redis as Readonly<Record<string, unknown>> };
}

function fromEnvironment(variable: (name: FleetVariable) => string | undefined): FleetSettings {
  const [name, listen, advertise, allow, zone, keys] = [
    variable('NAME'),
    variable('LISTEN'),
    variable('ADVERTISE'),
    variable('ALLOW'),
    variable('ZONE'),
    variable('SECRET'),
  ];
  const found = {
    name,
    listen: listen && listenAt(listen),
    advertise,
    allow: allow?.split(','),
    zone,
    secret: keys?.split('\n').filter((key) => key !== ''),
  };
  const settings: FleetSettings = {};
  for (const [key, value] of Object.entries(found)) {
    if (value === undefined || value === '') continue;
    const field = FLEET_FIELDS[key as keyof FleetSettings];
    Object.assign(settings, { [key]: field.parse(value, `INSERVE_FLEET_${key.toUpperCase()}`) });
  }
  return settings;
}

/** `host:port`, IPv6 in brackets; either may be missing. */
function listenAt(text: string): FleetListenOptions {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) throw invalidOption('INSERVE_FLEET_LISTEN', text, 'host:port, IPv6 in brackets');
  return {
    ...(host !== '' && { host }),
    ...(digits !== undefined && { port: Number(digits) }),
  };
}

/** Whether `cluster`, if it is given, is a list of nodes. */
function hasNodes({ cluster }: Readonly<Record<string, unknown>>): boolean {
  if (cluster === undefined) return true;
  return Array.isArray(cluster) && cluster.length > 0 && cluster.every(isPlainObject);
}

/** @throws ServeError `SERVE_INVALID_OPTION` for a part of options that cannot go to another thread */
function assertPlain(value: unknown, option: string): void {
  if (Buffer.isBuffer(value) || value === null || !['object', 'function', 'symbol'].includes(typeof value))
    return;
  const isArray = Array.isArray(value);
  if (!isArray && !isPlainObject(value)) throw invalidOption(option, value, REDIS_ALLOWED);
  for (const [key, part] of Object.entries(value))
    assertPlain(part, isArray ? `${option}[${key}]` : `${option}.${key}`);
}
