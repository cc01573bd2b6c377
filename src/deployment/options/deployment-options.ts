import { invalidOption } from '../../errors.ts';
import { PRIORITIES, type Priority } from '../../handle/queue/priority.ts';
import { MAX_ONGOING_LIMIT } from '../../load/load-table.ts';
import {
  type anything,
  boolean,
  either,
  type Field,
  type Fields,
  instanceOf,
  integer,
  listOf,
  milliseconds,
  number,
  object,
  oneOf,
  parseOptions,
  recordOf,
  string,
} from '../../validation/fields.ts';
import {
  type DeploymentSchemas,
  isSchema,
  type MethodSchemas,
  type Schema,
} from '../../validation/schema.ts';
import {
  AUTOSCALING_FIELD,
  type AutoscalingOptions,
  autoscalingOf,
  type ResolvedAutoscaling,
} from './autoscaling-options.ts';
import { ISOLATION_NAMES, ISOLATIONS, type Isolation } from './isolations.ts';
import { LOG_LEVELS, type LogLevel } from './log-line.ts';
import { DEMAND_FIELD, type Resources } from './resources.ts';

export interface BackpressureOptions {
  /** Default 503. */
  statusCode?: 503 | 429;
  /** `'auto'` (default): from the rate at which the queue drains. */
  retryAfterMs?: number | 'auto';
}

/** When a second replica is asked as well, for idempotent methods. */
export interface HedgeOptions {
  /** Default `'p95'`: once a call takes longer than 95 % of those before it. At least 10. */
  afterMs?: number | 'p95';
  /** Second calls per call, at most. Default 0.05. */
  maxExtraRatio?: number;
}

export interface RolloutOptions {
  /** Replicas above the target while a new version comes up, as a share of it (at least one). Default 0.25. */
  maxSurge?: number;
  /** Replicas below the target, as a share of it. Default 0. */
  maxUnavailable?: number;
  /** Default 30 000. */
  observeMs?: number;
  /** Keep the old version when the new one fails. Default true. */
  autoRollback?: boolean;
}

export interface LoggingOptions {
  /** From which level on the `console` of its replicas is heard. Replicas take it when they start. Default `'info'`. */
  level?: LogLevel;
  /** One record at `info` per HTTP request to the deployment as an ingress. Default false: most apps have their own. */
  accessLog?: boolean;
}

/** When a replica that died is replaced: Fibonacci back-off 0, 1, 1, 2, 3, 5 … s, and a budget of crashes. */
export interface RestartOptions {
  /** Crashes within `windowMs` until the deployment counts as unhealthy. Default 5. */
  maxCrashes?: number;
  /** Default 60 000. */
  windowMs?: number;
  /** Longest pause, and the period of the probes while it is unhealthy, in ms. Default 30 000. */
  maxDelayMs?: number;
}

export interface ResourceLimits {
  maxOldGenerationSizeMb?: number;
  maxYoungGenerationSizeMb?: number;
  codeRangeSizeMb?: number;
  stackSizeMb?: number;
}

/** Options of a deployment. All are checked when they are given: `SERVE_INVALID_OPTION`. */
export interface DeploymentOptions {
  /** Default: the name of the class or function. `[A-Za-z0-9_-]{1,64}` */
  name?: string;
  /** `file:` URL of the module that calls `deployment()`; default: the file of the call. */
  module?: string;
  /** `'auto'` = autoscaling from 1 to 100. Default 1. */
  numReplicas?: number | 'auto';
  /** Lets the number of replicas follow the load. Instead of `numReplicas`. */
  autoscaling?: AutoscalingOptions;
  /** Reserved per replica; fractions allowed. A replica that fits nowhere is pending. Default: nothing. */
  resources?: Resources;
  /** Default: as many as fit. */
  maxReplicasPerInstance?: number;
  /** A deployment that can place no replica for so long has failed, in ms. Default 30 000. */
  pendingTimeoutMs?: number;
  /** Calls that one replica runs at a time, over all callers: an exact cap. Those that compute run one by one. Default 16. */
  maxOngoingRequests?: number;
  /** Calls that may wait beyond the free places of the replicas, per instance: an exact cap; −1 = none. Default 1000. */
  maxQueuedRequests?: number;
  backpressure?: BackpressureOptions;
  /** JSON. A change calls `reconfigure(userConfig)` in place. */
  userConfig?: unknown;
  /** Deadline of a call in ms, queueing included; 0 = none. Default 30 000. */
  requestTimeoutMs?: number;
  /** Between two chunks of a stream, in ms; 0 = no limit. Default 60 000. */
  streamIdleTimeoutMs?: number;
  /** Of a whole stream, in ms; 0 = no limit. Default 0. */
  streamTimeoutMs?: number;
  /** What methods take and give, by their names; set where `deployment()` is called. */
  schemas?: DeploymentSchemas;
  /** Methods that may run twice: all, or by name. Default false. */
  idempotent?: boolean | string[];
  /** Asks a second replica when the first is slow, and takes the answer that comes first. Default: never. */
  hedge?: HedgeOptions;
  /** Default `'critical'`. */
  priority?: Priority;
  /** Default `'thread'`. */
  isolation?: Isolation;
  /**
   * Of the worker thread. `maxYoungGenerationSizeMb` is 48 unless given: with Node's own 192 a thread that runs out of
   * heap can end the whole process (docs/decisions/010-young-generation.md).
   */
  resourceLimits?: ResourceLimits;
  /** Merged over `process.env` in the worker thread. */
  env?: Record<string, string>;
  /** Period of `checkHealth()`, in ms. A replica without one is not asked. Default 10 000. */
  healthCheckPeriodMs?: number;
  /** A check that takes longer from when it begins has failed, in ms; that at the start as well. Default 30 000. */
  healthCheckTimeoutMs?: number;
  /**
   * A replica whose event loop has not turned, and where no call has begun or ended, for this time takes no more calls, in
   * ms. It is terminated when the deadline of the call that holds the loop passes. Default 5 000.
   */
  stuckAfterMs?: number;
  /** Such a replica is terminated after this time if the call that holds its loop has no deadline, in ms. Default 30 000. */
  stuckTerminateMs?: number;
  /** A replica that is not ready after so long is given up, in ms. Default 120 000. */
  startTimeoutMs?: number;
  /** How long a replica may finish its calls when it is closed, in ms. Default 20 000. */
  gracefulShutdownTimeoutMs?: number;
  /** Failed starts until the deployment counts as failed: min(this, 3 × replicas). Default 20. */
  maxConstructorRetryCount?: number;
  rollout?: RolloutOptions;
  logging?: LoggingOptions;
  restart?: RestartOptions;
  /** Default: a hash of name, arguments and the version of the app. */
  version?: string;
}

/** Options with every default filled in. */
export type ResolvedOptions = Required<
  Omit<
    DeploymentOptions,
    | 'name'
    | 'module'
    | 'schemas'
    | 'userConfig'
    | 'version'
    | 'backpressure'
    | 'hedge'
    | 'rollout'
    | 'logging'
    | 'resourceLimits'
    | 'numReplicas'
    | 'autoscaling'
    | 'maxReplicasPerInstance'
  >
> & {
  /** Of an autoscaled deployment: what it starts with. */
  readonly numReplicas: number;
  readonly autoscaling: ResolvedAutoscaling | undefined;
  readonly maxReplicasPerInstance: number;
  readonly backpressure: Required<BackpressureOptions>;
  readonly hedge?: Required<HedgeOptions>;
  readonly rollout: Required<RolloutOptions>;
  readonly logging: Required<LoggingOptions>;
  readonly restart: Required<RestartOptions>;
  readonly resourceLimits: ResourceLimits;
  readonly userConfig?: unknown;
  readonly version?: string;
};

export const NAME_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
const NAME = string('1 to 64 characters of A–Z, a–z, 0–9, _ and -', NAME_PATTERN);

const share = number(0, 1);

/** A TiB. With larger numbers Node refuses to make the thread (a stack of 64 GiB), or aborts (a code range of 2 PiB). */
const MAX_HEAP_MB = 1_048_576;
const MAX_CODE_RANGE_MB = 4_096;
const MAX_STACK_MB = 4_096;

const schema = instanceOf<Schema>('a Standard Schema (zod, valibot, arktype …)', isSchema);

const FIELDS: Fields<DeploymentOptions> = {
  name: NAME,
  module: string('a file: URL, such as import.meta.url', /^file:\/\/\//),
  numReplicas: either(integer(1, 1_000), oneOf('auto')),
  autoscaling: AUTOSCALING_FIELD,
  resources: DEMAND_FIELD,
  maxReplicasPerInstance: integer(1),
  pendingTimeoutMs: milliseconds(),
  maxOngoingRequests: integer(1, MAX_ONGOING_LIMIT),
  maxQueuedRequests: either(oneOf(-1), integer(0)),
  backpressure: object<BackpressureOptions>({
    statusCode: oneOf(503, 429),
    retryAfterMs: either(oneOf('auto'), milliseconds()),
  }),
  userConfig: json() as Field<NonNullable<unknown>>,
  requestTimeoutMs: milliseconds(),
  streamIdleTimeoutMs: milliseconds(),
  streamTimeoutMs: milliseconds(),
  schemas: recordOf(object<MethodSchemas>({ input: schema, output: schema })),
  idempotent: either(boolean(), listOf(string())),
  hedge: object<HedgeOptions>({
    afterMs: either(oneOf('p95'), milliseconds(10)),
    maxExtraRatio: number(0, 1),
  }),
  priority: oneOf(...PRIORITIES),
  isolation: oneOf(...ISOLATION_NAMES),
  resourceLimits: object<ResourceLimits>({
    maxOldGenerationSizeMb: number(1, MAX_HEAP_MB),
    maxYoungGenerationSizeMb: number(1, MAX_HEAP_MB),
    codeRangeSizeMb: number(0, MAX_CODE_RANGE_MB),
    stackSizeMb: number(0.1, MAX_STACK_MB),
  }),
  env: recordOf(instanceOf<string>('a string', (value) => typeof value === 'string')),
  healthCheckPeriodMs: milliseconds(10),
  healthCheckTimeoutMs: milliseconds(1),
  stuckAfterMs: milliseconds(50),
  stuckTerminateMs: milliseconds(50),
  startTimeoutMs: milliseconds(1),
  gracefulShutdownTimeoutMs: milliseconds(),
  maxConstructorRetryCount: integer(1),
  logging: object<LoggingOptions>({ level: oneOf(...LOG_LEVELS), accessLog: boolean() }),
  rollout: object<RolloutOptions>({
    maxSurge: share,
    maxUnavailable: share,
    observeMs: milliseconds(),
    autoRollback: boolean(),
  }),
  restart: object<RestartOptions>({
    maxCrashes: integer(1),
    windowMs: milliseconds(1),
    maxDelayMs: milliseconds(),
  }),
  version: string('a string of 1 to 128 characters', /^[\s\S]{1,128}$/),
};

const DEFAULTS: ResolvedOptions = {
  numReplicas: 1,
  autoscaling: undefined,
  resources: {},
  maxReplicasPerInstance: Infinity,
  pendingTimeoutMs: 30_000,
  maxOngoingRequests: 16,
  maxQueuedRequests: 1_000,
  backpressure: { statusCode: 503, retryAfterMs: 'auto' },
  requestTimeoutMs: 30_000,
  streamIdleTimeoutMs: 60_000,
  streamTimeoutMs: 0,
  idempotent: false,
  priority: 'critical',
  isolation: 'thread',
  resourceLimits: { maxYoungGenerationSizeMb: 48 },
  env: {},
  healthCheckPeriodMs: 10_000,
  healthCheckTimeoutMs: 30_000,
  stuckAfterMs: 5_000,
  stuckTerminateMs: 30_000,
  startTimeoutMs: 120_000,
  gracefulShutdownTimeoutMs: 20_000,
  maxConstructorRetryCount: 20,
  restart: { maxCrashes: 5, windowMs: 60_000, maxDelayMs: 30_000 },
  logging: { level: 'info', accessLog: false },
  rollout: { maxSurge: 0.25, maxUnavailable: 0, observeMs: 30_000, autoRollback: true },
};

/** Each option by itself: of some that are to be merged with others. @throws ServeError `SERVE_INVALID_OPTION` */
export function parseOverriddenOptions(options: unknown, what: string): DeploymentOptions {
  return parseOptions<DeploymentOptions>(options, FIELDS, what);
}

/**
 * @param what how the options are called in an error
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function parseDeploymentOptions(options: unknown, what = 'deployment'): DeploymentOptions {
  const parsed = parseOverriddenOptions(options, what);
  const { stuckAfterMs = DEFAULTS.stuckAfterMs, stuckTerminateMs = DEFAULTS.stuckTerminateMs } = parsed;
  if (stuckTerminateMs < stuckAfterMs) {
    throw invalidOption(
      `${what}.stuckTerminateMs`,
      stuckTerminateMs,
      `at least stuckAfterMs (${stuckAfterMs})`,
    );
  }
  assertScalable(parsed, what);
  assertHedgeable(parsed, what);
  return parsed;
}

/** Without methods that may run twice, or with one replica per caller, hedging would silently do nothing. */
function assertHedgeable({ hedge, idempotent, isolation }: DeploymentOptions, what: string): void {
  if (hedge === undefined) return;
  if (idempotent === undefined || idempotent === false || (idempotent !== true && idempotent.length === 0))
    throw invalidOption(
      `${what}.hedge`,
      hedge,
      'only together with idempotent, which says what may run twice',
    );
  if (!ISOLATIONS[isolation ?? DEFAULTS.isolation].isReplicated)
    throw invalidOption(
      `${what}.hedge`,
      hedge,
      `nothing with isolation '${isolation}': there is no second replica`,
    );
}

/** A number of replicas is fixed or follows the load, and only replicas in threads of their own can be counted. */
function assertScalable(options: DeploymentOptions, what: string): void {
  const { numReplicas, autoscaling, resources, isolation } = options;
  if (numReplicas !== undefined && autoscaling !== undefined)
    throw invalidOption(`${what}.numReplicas`, numReplicas, 'not to be set together with autoscaling');
  if (ISOLATIONS[isolation ?? DEFAULTS.isolation].isReplicated) return;
  const allowed = `nothing with isolation '${isolation}': every caller thread has its own replica`;
  if (autoscaling !== undefined || numReplicas === 'auto')
    throw invalidOption(`${what}.autoscaling`, autoscaling ?? numReplicas, allowed);
  if (Object.values(resources ?? {}).some((amount) => amount !== 0))
    throw invalidOption(`${what}.resources`, resources, allowed);
}

/** Later options over earlier ones: a fixed number of replicas and autoscaling replace each other. */
export function mergeOptions(options: DeploymentOptions, changes: DeploymentOptions): DeploymentOptions {
  const { numReplicas, autoscaling, ...rest } = options;
  const isReplaced = changes.numReplicas !== undefined || changes.autoscaling !== undefined;
  return isReplaced ? { ...rest, ...changes } : { ...options, ...changes };
}

export function resolveOptions(options: DeploymentOptions): ResolvedOptions {
  const { name: _name, module: _module, schemas: _schemas, numReplicas, ...rest } = options;
  const autoscaling = autoscalingOf(numReplicas, rest.autoscaling);
  const fixed = numReplicas === 'auto' ? undefined : numReplicas;
  return {
    ...DEFAULTS,
    ...rest,
    autoscaling,
    numReplicas:
      autoscaling === undefined ? (fixed ?? 1) : (autoscaling.initialReplicas ?? autoscaling.minReplicas),
    backpressure: { ...DEFAULTS.backpressure, ...rest.backpressure },
    ...(rest.hedge === undefined ? {} : { hedge: { afterMs: 'p95', maxExtraRatio: 0.05, ...rest.hedge } }),
    rollout: { ...DEFAULTS.rollout, ...rest.rollout },
    logging: { ...DEFAULTS.logging, ...rest.logging },
    restart: { ...DEFAULTS.restart, ...rest.restart },
    resourceLimits: { ...DEFAULTS.resourceLimits, ...rest.resourceLimits },
  } as ResolvedOptions;
}

/** What JSON can say: a user config may come from a file. */
function json(): ReturnType<typeof anything<unknown>> {
  const allowed = 'a JSON value';
  return {
    allowed,
    parse(value, option) {
      const bad = nonJsonIn(value, option);
      if (bad !== undefined) throw invalidOption(bad.path, bad.value, allowed);
      return structuredClone(value);
    },
  };
}

/** The first part that JSON cannot say; the whole where its parts cannot be read. */
function nonJsonIn(value: unknown, path: string): { path: string; value: unknown } | undefined {
  try {
    return findNonJson(value, path);
  } catch {
    return { path, value };
  }
}

function findNonJson(value: unknown, path: string, depth = 64): { path: string; value: unknown } | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { path, value };
  if (typeof value !== 'object' || depth === 0) return { path, value };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return { path, value };
  const entries = Object.entries(value);
  // Neither holes nor named properties of an array.
  if (Array.isArray(value) && entries.length !== value.length) return { path, value };
  for (const [key, item] of entries) {
    const bad = findNonJson(item, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`, depth - 1);
    if (bad !== undefined) return bad;
  }
  return undefined;
}
