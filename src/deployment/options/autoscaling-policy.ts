import type { AutoscalingConfig } from './autoscaling-config.ts';

/** A value that a replica reported, and its time (a timestamp like `Date.now()`). */
export interface TimedValue {
  readonly at: number;
  readonly value: number;
}

/** Inputs of an autoscaling policy for one deployment. Ray's `AutoscalingContext` in camelCase; times like `Date.now()`. */
export interface AutoscalingContext {
  readonly appName: string;
  readonly deploymentName: string;
  /** Replicas that run. */
  readonly currentNumReplicas: number;
  /** Current target number of replicas. */
  readonly targetNumReplicas: number;
  /** Ids of the replicas that run. */
  readonly runningReplicas: readonly string[];
  /** Waiting and running calls, averaged over `lookBackPeriodMs` (in a panic over its window, if that is more). */
  readonly totalNumRequests: number;
  /** Calls that wait now. */
  readonly totalQueuedRequests: number;
  /** Calls that run now. */
  readonly totalRunningRequests: number;
  /** Values of `recordAutoscalingStats()` by name and replica, averaged over `lookBackPeriodMs`. */
  readonly aggregatedMetrics: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** The same values one by one, oldest first. */
  readonly rawMetrics: Readonly<Record<string, Readonly<Record<string, readonly TimedValue[]>>>>;
  readonly capacityAdjustedMinReplicas: number;
  readonly capacityAdjustedMaxReplicas: number;
  /** The last `state` that the policy returned; undefined the first time. */
  readonly policyState: unknown;
  readonly lastScaleUpTime: number | undefined;
  readonly lastScaleDownTime: number | undefined;
  readonly currentTime: number;
  readonly config: AutoscalingConfig;
}

/** Number of replicas wanted: a fraction is rounded up. `state` is passed to the next call as `context.policyState`. */
export type PolicyResult = number | { readonly replicas: number; readonly state?: unknown };

/**
 * Decides how many replicas a deployment should have. It runs on the host's thread at every sample, so it must be quick,
 * and it is synchronous. Factors, delays, cold start and bounds are applied around it.
 */
export type AutoscalingPolicy = (context: AutoscalingContext) => PolicyResult;

/**
 * Decides for all autoscaled deployments of an app at once, by name. A deployment missing in the result stays unchanged.
 */
export type AppAutoscalingPolicy = (
  contexts: Readonly<Record<string, AutoscalingContext>>,
) => Readonly<Record<string, PolicyResult>>;
