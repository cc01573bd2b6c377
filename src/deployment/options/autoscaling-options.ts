import { invalidOption } from '../../errors.ts';
import {
  either,
  type Field,
  type Fields,
  fn,
  integer,
  milliseconds,
  number,
  object,
  oneOf,
} from '../../validation/fields.ts';
import type { AutoscalingConfig } from './autoscaling-config.ts';
import type { AutoscalingPolicy } from './autoscaling-policy.ts';

/** When a sudden load is scaled up without delay. */
export interface PanicOptions {
  /** Period over which the load is averaged, in ms. Default 2 000. */
  windowMs?: number;
  /** Multiple of the target load of the running replicas at which a panic starts. Default 2. */
  threshold?: number;
}

/** Options by which the number of replicas follows the load. The formula, timers and bounds are Ray Serve's. */
export interface AutoscalingOptions {
  /** Minimum number of replicas; 0 = scale to zero, and up again with the next call. Default 1. */
  minReplicas?: number;
  /** Maximum number of replicas. Default 1. */
  maxReplicas?: number;
  /** Number of replicas of the first deploy. Default `minReplicas`. */
  initialReplicas?: number;
  /** Intended number of waiting and running calls per replica. Default 2. */
  targetOngoingRequests?: number;
  /** Time for which more replicas must be wanted before they start, in ms. Default 3 000. */
  upscaleDelayMs?: number;
  /** Time for which fewer replicas must be wanted before some stop, in ms. Default 60 000. */
  downscaleDelayMs?: number;
  /** Share of the difference that one step up makes; above 1 overshoots. Default 1. */
  upscalingFactor?: number;
  /** Share of the difference that one step down makes. Default 1. */
  downscalingFactor?: number;
  /** Period over which the load is averaged, in ms. Default 3 000. */
  lookBackPeriodMs?: number;
  /** Period of the samples and decisions, in ms. Default 250. */
  metricsIntervalMs?: number;
  /** Scales without delay on a load far beyond the capacity; `false` = never. */
  panic?: PanicOptions | false;
  /** Policy that decides instead of the load. It runs on the host's thread. */
  policy?: AutoscalingPolicy;
}

/** Limit above the number of threads that any machine can run. */
const MAX_REPLICAS = 1_000;
/** Smallest factor: finer than any use, and never a division by zero. */
const LEAST = 0.001;

const replicas = integer(0, MAX_REPLICAS);

const FIELDS: Fields<AutoscalingOptions> = {
  minReplicas: replicas,
  maxReplicas: integer(1, MAX_REPLICAS),
  initialReplicas: replicas,
  targetOngoingRequests: number(LEAST),
  upscaleDelayMs: milliseconds(),
  downscaleDelayMs: milliseconds(),
  upscalingFactor: number(LEAST),
  downscalingFactor: number(LEAST),
  lookBackPeriodMs: milliseconds(10),
  metricsIntervalMs: milliseconds(10),
  panic: either(object<PanicOptions>({ windowMs: milliseconds(10), threshold: number(1) }), oneOf(false)),
  policy: fn<AutoscalingPolicy>(),
};

const DEFAULTS: AutoscalingConfig = {
  minReplicas: 1,
  maxReplicas: 1,
  initialReplicas: undefined,
  targetOngoingRequests: 2,
  upscaleDelayMs: 3_000,
  downscaleDelayMs: 60_000,
  upscalingFactor: 1,
  downscalingFactor: 1,
  lookBackPeriodMs: 3_000,
  metricsIntervalMs: 250,
  panic: { windowMs: 2_000, threshold: 2 },
};

/** The options for `numReplicas: 'auto'`. */
const AUTO: AutoscalingOptions = { minReplicas: 1, maxReplicas: 100 };

export const AUTOSCALING_FIELD: Field<AutoscalingOptions> = {
  ...object(FIELDS),
  parse(value, option) {
    const parsed = object(FIELDS).parse(value, option);
    const { minReplicas, maxReplicas, initialReplicas, metricsIntervalMs, lookBackPeriodMs } =
      resolveAutoscaling(parsed);
    if (maxReplicas < minReplicas)
      throw invalidOption(
        `${option}.maxReplicas`,
        maxReplicas,
        `at least minReplicas (${minReplicas})${parsed.maxReplicas === undefined ? '; the default is 1' : ''}`,
      );
    if (initialReplicas !== undefined && (initialReplicas < minReplicas || initialReplicas > maxReplicas)) {
      const allowed = `from minReplicas to maxReplicas (${minReplicas} to ${maxReplicas})`;
      throw invalidOption(`${option}.initialReplicas`, initialReplicas, allowed);
    }
    if (lookBackPeriodMs < metricsIntervalMs) {
      const allowed = `at least metricsIntervalMs (${metricsIntervalMs})`;
      throw invalidOption(`${option}.lookBackPeriodMs`, lookBackPeriodMs, allowed);
    }
    return parsed;
  },
};

/** Fills in every default, and the policy. */
export type ResolvedAutoscaling = AutoscalingConfig & { readonly policy: AutoscalingPolicy | undefined };

function resolveAutoscaling({ panic, policy, ...rest }: AutoscalingOptions): ResolvedAutoscaling {
  const { panic: usual, ...defaults } = DEFAULTS;
  const window = panic === false ? undefined : ({ ...usual, ...panic } as AutoscalingConfig['panic']);
  return { ...defaults, ...rest, panic: window, policy } as ResolvedAutoscaling;
}

/** The autoscaling options of a deployment; undefined if its number of replicas is fixed. */
export function autoscalingOf(
  numReplicas: number | 'auto' | undefined,
  autoscaling: AutoscalingOptions | undefined,
): ResolvedAutoscaling | undefined {
  if (autoscaling !== undefined) return resolveAutoscaling(autoscaling);
  return numReplicas === 'auto' ? resolveAutoscaling(AUTO) : undefined;
}
