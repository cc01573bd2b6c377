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

export interface PanicOptions {
  /** Over which the load is averaged, in ms. Default 2 000. */
  windowMs?: number;
  /** Multiple of what the running replicas are meant to carry. Default 2. */
  threshold?: number;
}

/** How the number of replicas follows the load. The formula, timers and bounds are Ray Serve's. */
export interface AutoscalingOptions {
  /** 0 = down to none, and up again with the first call. Default 1. */
  minReplicas?: number;
  /** Default 1. */
  maxReplicas?: number;
  /** What the first deploy starts with. Default `minReplicas`. */
  initialReplicas?: number;
  /** Calls, waiting and running, that one replica is meant to have. Default 2. */
  targetOngoingRequests?: number;
  /** How long more replicas must be wanted before they are started, in ms. Default 3 000. */
  upscaleDelayMs?: number;
  /** How long fewer replicas must be wanted before they are stopped, in ms. Default 60 000. */
  downscaleDelayMs?: number;
  /** Share of the way up that one step goes; above 1 it overshoots. Default 1. */
  upscalingFactor?: number;
  /** Share of the way down that one step goes. Default 1. */
  downscalingFactor?: number;
  /** Over which the load is averaged, in ms. Default 3 000. */
  lookBackPeriodMs?: number;
  /** How often the load is sampled and decided upon, in ms. Default 250. */
  metricsIntervalMs?: number;
  /** A load so far beyond the capacity is acted upon without delay; `false` = never. */
  panic?: PanicOptions | false;
  /** Decides instead of the load. It runs on the host's thread. */
  policy?: AutoscalingPolicy;
}

/** More than any machine has threads for. */
const MAX_REPLICAS = 1_000;
/** Finer than any use, and no division by zero. */
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

/** What `numReplicas: 'auto'` stands for. */
const AUTO: AutoscalingOptions = { minReplicas: 1, maxReplicas: 100 };

export const AUTOSCALING_FIELD: Field<AutoscalingOptions> = {
  ...object(FIELDS),
  parse(value, option) {
    const parsed = object(FIELDS).parse(value, option);
    const { minReplicas, maxReplicas, initialReplicas, metricsIntervalMs, lookBackPeriodMs } =
      resolveAutoscaling(parsed);
    if (maxReplicas < minReplicas)
      throw invalidOption(`${option}.maxReplicas`, maxReplicas, `at least minReplicas (${minReplicas})`);
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

/** With every default filled in, and the policy. */
export type ResolvedAutoscaling = AutoscalingConfig & { readonly policy: AutoscalingPolicy | undefined };

function resolveAutoscaling({ panic, policy, ...rest }: AutoscalingOptions): ResolvedAutoscaling {
  const { panic: usual, ...defaults } = DEFAULTS;
  const window = panic === false ? undefined : ({ ...usual, ...panic } as AutoscalingConfig['panic']);
  return { ...defaults, ...rest, panic: window, policy } as ResolvedAutoscaling;
}

/** What a deployment scales by; undefined if its number of replicas is fixed. */
export function autoscalingOf(
  numReplicas: number | 'auto' | undefined,
  autoscaling: AutoscalingOptions | undefined,
): ResolvedAutoscaling | undefined {
  if (autoscaling !== undefined) return resolveAutoscaling(autoscaling);
  return numReplicas === 'auto' ? resolveAutoscaling(AUTO) : undefined;
}
