import { invalidOption } from '../../errors.ts';
import { PRIORITIES, type Priority } from '../../handle/queue/priority.ts';
import { MAX_ONGOING_LIMIT } from '../../load/load-table.ts';
import {
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
import { jsonValue } from '../../validation/json-value.ts';
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
import { ISOLATION_NAMES, ISOLATIONS, type Isolation, type ResolvedIsolation } from './isolations.ts';
import { LOG_LEVELS, type LogLevel } from './log-line.ts';
import { DEMAND_FIELD, type Resources } from './resources.ts';

/** The HTTP response to a call that is refused because of too much load. */
export interface BackpressureOptions {
  /** Status of the response. Default 503. */
  statusCode?: 503 | 429;
  /** `Retry-After`, in ms. Default `'auto'`: calculated from the rate at which the queue drains, 1 to 30 s plus up to half. */
  retryAfterMs?: number | 'auto';
}

/** Conditions under which a second replica is asked as well, for idempotent methods. */
export interface HedgeOptions {
  /** Delay before the second call, in ms. Default `'p95'`: the 95th percentile of earlier calls. At least 10. */
  afterMs?: number | 'p95';
  /** Maximum number of second calls, as a share of the idempotent calls of the last 10 s. Default 0.05. */
  maxExtraRatio?: number;
}

/** How a new version takes over from the old one. */
export interface RolloutOptions {
  /** Replicas above the target while a new version comes up, as a share of it (at least one). Default 0.25. */
  maxSurge?: number;
  /** Replicas below the target, as a share of it. Default 0. */
  maxUnavailable?: number;
  /** Time for which the new version is observed, in ms; 0 = a successful start is enough. Default 30 000. */
  observeMs?: number;
  /** Whether a new version that fails is rolled back; else the failure is only reported. Default true. */
  autoRollback?: boolean;
}

/** Logging of the replicas of a deployment. */
export interface LoggingOptions {
  /** Minimum level of `console` output of the replicas. Replicas read it when they start. Default `'info'`. */
  level?: LogLevel;
  /** Whether the ingress logs one record at `info` per HTTP request. Default false: most apps have their own access log. */
  accessLog?: boolean;
}

/** Schedule for replacing replicas that died: Fibonacci back-off 0, 1, 1, 2, 3, 5 … s, and a budget of crashes. */
export interface RestartOptions {
  /** Crashes within `windowMs` until the deployment counts as unhealthy. Default 5. */
  maxCrashes?: number;
  /** Period in which crashes count, in ms. Default 60 000. */
  windowMs?: number;
  /** Longest pause between starts, and the period of the probes while the deployment is unhealthy, in ms. Default 30 000. */
  maxDelayMs?: number;
}

/** Limits of a thread as in `node:worker_threads`, in MiB. */
export interface ResourceLimits {
  /** Heap without recently created objects. Default: `resources.memoryMb`, else Node's. */
  maxOldGenerationSizeMb?: number;
  /** Heap for recently created objects. Default 48. */
  maxYoungGenerationSizeMb?: number;
  /** Memory for generated code. */
  codeRangeSizeMb?: number;
  /** Stack of the thread. Default 4. */
  stackSizeMb?: number;
}

/** Options of a deployment. They are checked when they are given; a wrong one throws `SERVE_INVALID_OPTION`. */
export interface DeploymentOptions {
  /** Name of the deployment, `[A-Za-z0-9_-]{1,64}`. Default: the name of the class or function, which bundlers may change. */
  name?: string;
  /** `file:` URL of the module that calls `deployment()`; default: the file of the call. */
  module?: string;
  /** Number of replicas, 1 to 1 000; `'auto'` = autoscaling from 1 to 100. Default 1. */
  numReplicas?: number | 'auto';
  /** Makes the number of replicas follow the load. Replaces `numReplicas`. */
  autoscaling?: AutoscalingOptions;
  /** Resources reserved for each replica; fractions are allowed. A replica that fits on no instance is pending. Default: none. */
  resources?: Resources;
  /** Maximum number of replicas on one instance. Default: as many as fit. */
  maxReplicasPerInstance?: number;
  /** Minimum number of replicas on each instance of a fleet; the total of the fleet rises to match. Default 0. */
  minReplicasPerInstance?: number;
  /** Time after which a deployment of which no replica could be placed has failed, in ms. Default 30 000. */
  pendingTimeoutMs?: number;
  /** Calls that one replica runs at a time, over all callers: an exact cap. Computing calls run one by one. Default 16. */
  maxOngoingRequests?: number;
  /** Calls that may wait beyond the free places of the replicas, per instance: an exact cap; −1 = none. Default 1000. */
  maxQueuedRequests?: number;
  /** The response to refused calls. */
  backpressure?: BackpressureOptions;
  /** A JSON value for `reconfigure(userConfig)`; a change is applied without a restart. */
  userConfig?: unknown;
  /** Deadline of a call in ms, queueing included; 0 = none. Default 30 000. */
  requestTimeoutMs?: number;
  /** Maximum time between two chunks of a stream, in ms; 0 = no limit. Default 60 000. */
  streamIdleTimeoutMs?: number;
  /** Maximum duration of a stream, in ms; 0 = no limit. Default 0. */
  streamTimeoutMs?: number;
  /** Input and output schemas of methods, by name; set where `deployment()` is called. */
  schemas?: DeploymentSchemas;
  /** Methods that may run twice: all, or by name. They are retried after a death of their replica. Default false. */
  idempotent?: boolean | string[];
  /** Asks a second replica when the first is slow, and takes the first answer. Default: never. */
  hedge?: HedgeOptions;
  /** Priority of calls that set none. Default `'critical'`. */
  priority?: Priority;
  /** Environment of the replicas: worker threads, child processes, or their callers' threads (docs/isolation.md). Default `'thread'`. */
  isolation?: Isolation;
  /**
   * Limits of the worker thread, or of the child process. `maxYoungGenerationSizeMb` is 48 unless set: with Node's default of
   * 192 a thread that runs out of heap can end the whole process (docs/decisions/010-young-generation.md).
   */
  resourceLimits?: ResourceLimits;
  /** Environment variables, merged over `process.env` of the replica. Default: none. */
  env?: Record<string, string>;
  /** Period of `checkHealth()`, in ms. A replica without this hook is not checked. Default 10 000. */
  healthCheckPeriodMs?: number;
  /** Time limit of one check, measured from its beginning, in ms. Default 30 000. */
  healthCheckTimeoutMs?: number;
  /**
   * A replica whose event loop has not turned, and where no call has begun or ended, for this time accepts no more calls, in
   * ms. It is terminated when the deadline of the call that holds the loop passes. Default 5 000.
   */
  stuckAfterMs?: number;
  /** Time after which such a replica is terminated if the call that holds its loop has no deadline, in ms. Default 30 000. */
  stuckTerminateMs?: number;
  /** Time limit of a replica's start, in ms. Default 120 000. */
  startTimeoutMs?: number;
  /** Time that a stopping replica has to finish its calls, in ms. Default 20 000. */
  gracefulShutdownTimeoutMs?: number;
  /** Failed starts after which the deployment has failed: the smaller of this and 3 × replicas. Default 20. */
  maxConstructorRetryCount?: number;
  /** How a new version takes over. */
  rollout?: RolloutOptions;
  /** Level of the replicas' `console`, and the access log. */
  logging?: LoggingOptions;
  /** Limits of replacing replicas that died. */
  restart?: RestartOptions;
  /** Version of the deployment. Default: a hash of name, arguments and the version of the app. */
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
    | 'isolation'
    | 'numReplicas'
    | 'autoscaling'
    | 'maxReplicasPerInstance'
  >
> & {
  /** Number of replicas; the initial one if the deployment is autoscaled. */
  readonly numReplicas: number;
  readonly isolation: ResolvedIsolation;
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

/** One TiB. With larger numbers Node refuses to create the thread (a stack of 64 GiB), or aborts (a code range of 2 PiB). */
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
  minReplicasPerInstance: integer(0, 1_000),
  pendingTimeoutMs: milliseconds(),
  maxOngoingRequests: integer(1, MAX_ONGOING_LIMIT),
  maxQueuedRequests: either(oneOf(-1), integer(0)),
  backpressure: object<BackpressureOptions>({
    statusCode: oneOf(503, 429),
    retryAfterMs: either(oneOf('auto'), milliseconds()),
  }),
  userConfig: jsonValue() as Field<NonNullable<unknown>>,
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
  minReplicasPerInstance: 0,
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

/** Checks each option by itself, for options that are merged with others. @throws ServeError `SERVE_INVALID_OPTION` */
export function parseOverriddenOptions(options: unknown, what: string): DeploymentOptions {
  return parseOptions<DeploymentOptions>(options, FIELDS, what);
}

/**
 * @param what name of the options in an error
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

/** Hedging without idempotent methods, or with one replica per caller, would silently have no effect. */
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
      `not to be set with isolation '${isolation}': there is no second replica`,
    );
}

/** Checks the number of replicas: it is fixed or follows the load, and only replicas in threads of their own are counted. */
function assertScalable(options: DeploymentOptions, what: string): void {
  const { numReplicas, autoscaling, resources, isolation } = options;
  if (numReplicas !== undefined && autoscaling !== undefined)
    throw invalidOption(`${what}.numReplicas`, numReplicas, 'not to be set together with autoscaling');
  if (ISOLATIONS[isolation ?? DEFAULTS.isolation].isReplicated) return;
  const allowed = `not to be set with isolation '${isolation}': every caller thread has its own replica`;
  if (autoscaling !== undefined || numReplicas === 'auto')
    throw invalidOption(`${what}.autoscaling`, autoscaling ?? numReplicas, allowed);
  if (numReplicas !== undefined && numReplicas > 1)
    throw invalidOption(`${what}.numReplicas`, numReplicas, allowed);
  if (Object.values(resources ?? {}).some((amount) => amount !== 0))
    throw invalidOption(`${what}.resources`, resources, allowed);
}

/** Merges later options over earlier ones: a fixed number of replicas and autoscaling replace each other. */
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
