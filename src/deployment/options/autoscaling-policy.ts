import type { AutoscalingConfig } from './autoscaling-config.ts';

/** A value that a replica reported, and when (a timestamp like `Date.now()`). */
export interface TimedValue {
  readonly at: number;
  readonly value: number;
}

/** What an autoscaling policy sees of one deployment. Ray's `AutoscalingContext` in camelCase; times like `Date.now()`. */
export interface AutoscalingContext {
  readonly appName: string;
  readonly deploymentName: string;
  /** Replicas that run. */
  readonly currentNumReplicas: number;
  /** Replicas that there should be, as decided so far. */
  readonly targetNumReplicas: number;
  /** Ids of the replicas that run. */
  readonly runningReplicas: readonly string[];
  /** Waiting and running calls, averaged over `lookBackPeriodMs` (in a panic over its window, if that is more). */
  readonly totalNumRequests: number;
  /** Calls that wait now. */
  readonly totalQueuedRequests: number;
  /** Calls that run now. */
  readonly totalRunningRequests: number;
  /** What `recordAutoscalingStats()` answered, by name and replica: averaged over `lookBackPeriodMs`. */
  readonly aggregatedMetrics: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The same, value by value, oldest first. */
  readonly rawMetrics: Readonly<Record<string, Readonly<Record<string, readonly TimedValue[]>>>>;
  readonly capacityAdjustedMinReplicas: number;
  readonly capacityAdjustedMaxReplicas: number;
  /** What the policy returned as `state` the last time; undefined the first time. */
  readonly policyState: unknown;
  readonly lastScaleUpTime: number | undefined;
  readonly lastScaleDownTime: number | undefined;
  readonly currentTime: number;
  readonly config: AutoscalingConfig;
}

/** Replicas wanted: a fraction is rounded up. `state` comes back as `context.policyState`. */
export type PolicyResult = number | { readonly replicas: number; readonly state?: unknown };

/**
 * Decides how many replicas a deployment should have. It runs on the host's thread at every sample, so it must be quick,
 * and it is synchronous. Factors, delays, cold start and bounds are applied around it.
 */
export type AutoscalingPolicy = (context: AutoscalingContext) => PolicyResult;

/**
 * Decides for all autoscaled deployments of an app at once, by name. One that is missing in the result stays as it is.
 */
export type AppAutoscalingPolicy = (
  contexts: Readonly<Record<string, AutoscalingContext>>,
) => Readonly<Record<string, PolicyResult>>;
