import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fleetEntry } from './cluster/fleet-entry.ts';
import {
  FLEET_FIELDS,
  type FleetSettings,
  fleetOptions,
  REDIS_FIELD,
  type RedisOption,
} from './cluster/fleet-settings.ts';
import { missingClient } from './cluster/redis/settings.ts';
import { RESOURCES_FIELD, type Resources } from './deployment/options/resources.ts';
import { invalidOption } from './errors.ts';
import { TENANTS_FIELDS, type TenantsOptions } from './handle/queue/tenants.ts';
import type { FleetPart } from './instance/fleet/instance-fleet.ts';
import { GROWTH_WATCH_FIELDS, type GrowthWatchOptions } from './instance/guards/growth-watch-options.ts';
import { HOST_GUARD_FIELDS, type HostGuardOptions } from './instance/guards/overload-guard.ts';
import type { InstanceOptions } from './instance/instance-options.ts';
import { workerEntry } from './isolation/thread/worker-entry.ts';
import { defaultLogger, LOGGER_FIELD, type Logger } from './observe/logger.ts';
import { METRICS_FIELDS, type MetricsOptions } from './observe/metrics.ts';
import { CLOCK_FIELD, type Clock, machineClock } from './time/control-clock.ts';
import { boolean, type Fields, object, oneOf, string } from './validation/fields.ts';

/** Options of an instance. They are checked when they are given; a wrong one throws `SERVE_INVALID_OPTION`. */
export interface ServeOptions {
  /**
   * The resources of the instance, instead of those of the machine: cpus, gpus (devices), `memoryMb`, custom resources.
   * `memoryMb` applies to the whole process; beyond it the replica that holds the most is replaced. Default: 90 % of the
   * memory of the machine or container.
   */
  resources?: Resources;
  /** Registry and prefix of the metrics. */
  metrics?: MetricsOptions;
  /** Shares and quotas of tenants. Default: all have the same share, none has a quota. */
  tenants?: TenantsOptions;
  /** When calls are refused because the host's own event loop lags. */
  hostGuard?: HostGuardOptions;
  /** When a replica whose memory grows without end is replaced. */
  growthWatch?: GrowthWatchOptions;
  /** The clock of the control plane; tests pass a `ManualClock`. Default: the machine's clock. */
  clock?: Clock;
  /**
   * A logger with the signatures of pino. Default: stderr from level `info`, as coloured lines on a terminal and else as JSON;
   * the environment variable `INSERVE_LOG` (`pretty` or `json`) overrides the format.
   */
  logger?: Logger;
  /** Version of the app's code, part of every deployment's version. Default: `INSERVE_VERSION`, then package.json's. */
  version?: string;
  /** Whether apps are reloaded when files change that their replicas have loaded. Default: whether `INSERVE_DEV` is `1`. */
  dev?: boolean;
  /** File (path or `file:` URL) of the replicas' worker entry, for bundled apps. Default: the package's own. */
  workerEntry?: string;
  /** File (path or `file:` URL) of the fleet thread's entry, for bundled apps. Default: the package's own. */
  fleetEntry?: string;
  /**
   * `'inline'` runs every deployment on the event loop of its caller, through the module loader and the mocks of a test;
   * values are still copied as for a thread. Numbers of replicas, autoscaling, resources and hedging are ignored. For tests.
   * Default: `INSERVE_ISOLATION`, else each deployment's own `isolation`.
   */
  isolation?: 'inline';
  /**
   * The Redis in which instances find each other and elect their controller: a URL, options of ioredis, `{ module }` with a
   * factory of clients, or a client. Needs `fleet.secret`, and the package `ioredis`. Default: none; the instance serves alone.
   */
  redis?: RedisOption;
  /** The instance's part in the fleet. Values that are not given come from `INSERVE_FLEET_…`. */
  fleet?: FleetSettings;
}

export const SERVE_FIELDS: Fields<ServeOptions> = {
  resources: RESOURCES_FIELD,
  metrics: object<MetricsOptions>(METRICS_FIELDS),
  tenants: object<TenantsOptions>(TENANTS_FIELDS),
  hostGuard: object<HostGuardOptions>(HOST_GUARD_FIELDS),
  growthWatch: object<GrowthWatchOptions>(GROWTH_WATCH_FIELDS),
  clock: CLOCK_FIELD,
  logger: LOGGER_FIELD,
  version: string(),
  dev: boolean(),
  workerEntry: string(),
  fleetEntry: string(),
  isolation: oneOf('inline'),
  redis: REDIS_FIELD,
  fleet: object<FleetSettings>(FLEET_FIELDS),
};

/**
 * @internal The options of the instance, every default filled in.
 * @throws ServeError `SERVE_INVALID_OPTION` if the worker entry is not there
 */
export function instanceOptions(options: ServeOptions): InstanceOptions {
  return {
    log: options.logger ?? defaultLogger,
    clock: options.clock ?? machineClock,
    workerEntry: workerEntry(options.workerEntry),
    resources: options.resources ?? {},
    tenants: options.tenants,
    hostGuard: options.hostGuard ?? {},
    growthWatch: options.growthWatch ?? {},
    isDev: options.dev ?? process.env['INSERVE_DEV'] === '1',
    isInline: isInline(options.isolation),
    version: options.version ?? process.env['INSERVE_VERSION'] ?? packageVersion(process.cwd()),
  };
}

/** @throws ServeError `SERVE_INVALID_OPTION` for another value of `INSERVE_ISOLATION` */
function isInline(given: 'inline' | undefined): boolean {
  const isolation = given ?? (process.env['INSERVE_ISOLATION'] || undefined);
  if (isolation === undefined || isolation === 'inline') return isolation !== undefined;
  throw invalidOption('INSERVE_ISOLATION', isolation, "'inline', or not to be set");
}

/** Version of the nearest package.json. */
function packageVersion(directory: string): string {
  for (let at = directory; ; at = dirname(at)) {
    try {
      const { version } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as { version?: unknown };
      if (typeof version === 'string') return version;
    } catch {}
    if (dirname(at) === at) return '0';
  }
}

/**
 * @internal The part in a fleet that the options ask for; undefined without Redis.
 * @throws ServeError `SERVE_INVALID_OPTION`, `SERVE_MISSING_DEPENDENCY`
 */
export function fleetPart({ redis, fleet, fleetEntry: given }: ServeOptions): FleetPart | undefined {
  if (redis === undefined) return undefined;
  const options = fleetOptions(redis, fleet);
  const { url, options: settings } = options.membership?.redis ?? {};
  // An entry of a bundled app has ioredis in it; a module, and an app with a client, have their own.
  if (given === undefined && (url !== undefined || settings !== undefined)) assertRedisClient();
  return { options, entry: fleetEntry(given) };
}

/** The fleet thread loads the client, where its absence would be known too late. */
function assertRedisClient(): void {
  try {
    createRequire(import.meta.url).resolve('ioredis');
  } catch (cause) {
    throw missingClient(cause);
  }
}
