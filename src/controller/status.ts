import type { ScalingInputs } from './autoscale.ts';
import type { PendingReplicas } from './place.ts';

/** Status of a deployment, as in Ray. */
export type DeploymentStatus =
  | 'UPDATING'
  | 'HEALTHY'
  | 'UNHEALTHY'
  | 'UPSCALING'
  | 'DOWNSCALING'
  | 'DEPLOY_FAILED';

/** Status of an app: the worst of its deployments. */
export type AppStatus = 'DEPLOYING' | 'RUNNING' | 'UNHEALTHY' | 'DEPLOY_FAILED' | 'DELETING';

export interface ReplicaStatus {
  readonly id: string;
  /**
   * `STARTING`, `RUNNING`, `STUCK` (its event loop does not turn, and no call begins or ends), `EJECTED` (too many of its
   * calls fail), `STOPPING`.
   */
  readonly state: string;
  /** Why the replica is `EJECTED`. */
  readonly reason?: string;
  /** The last `context().progress(message)` of a replica that is starting. */
  readonly message?: string;
  readonly instance: string;
  readonly version: string;
  /** When its start began, a timestamp like `Date.now()`. */
  readonly startedAt: number;
  /** The `rank` label of its gauges. */
  readonly rank: number;
  /** Calls that hold a place. */
  readonly ongoing: number;
  /** Share of the last second for which its event loop was busy, 0…1. */
  readonly utilization: number;
  /** Memory of its heap and buffers, measured every few seconds; undefined before the first measurement, and inline. */
  readonly memoryBytes: number | undefined;
  /** Models that it holds or loads; undefined without `multiplexed()`. */
  readonly models: number | undefined;
}

/** An error of a deployment. */
export interface ReportedError {
  /** A timestamp like `Date.now()`. */
  readonly at: number;
  readonly message: string;
}

/** The last decision about a number of replicas, with its inputs. */
export interface ScalingReport {
  /** A timestamp like `Date.now()`. */
  readonly at: number;
  /** The target before the decision. */
  readonly from: number;
  /** The target since the decision. */
  readonly to: number;
  /** Replicas wanted, within the bounds, before any delay. */
  readonly desired: number;
  readonly reason: string;
  readonly inputs: Omit<ScalingInputs, 'at'>;
}

export interface DeploymentReport {
  readonly status: DeploymentStatus;
  readonly message: string;
  readonly targetReplicas: number;
  /** Number of replicas by state. */
  readonly replicaStates: Readonly<Record<string, number>>;
  readonly replicas: readonly ReplicaStatus[];
  /** Calls that wait. */
  readonly queued: number;
  /** How long calls hold the event loop of their replica, as a text; such calls run one at a time. Undefined for quick calls. */
  readonly scheduling: string | undefined;
  /** Number of replicas so far that ended unexpectedly. */
  readonly restarts: number;
  /** The last death of a replica, failed start or rejected version; undefined without any. */
  readonly lastError: ReportedError | undefined;
  /** When the next replica may be started after failures, like `Date.now()`; undefined if nothing is held back. */
  readonly nextTryAt: number | undefined;
  /** Number of target replicas that fit on no instance, and the reason; undefined without any. */
  readonly pending: PendingReplicas | undefined;
  /** The last scaling decision; undefined if the deployment does not autoscale. */
  readonly scaling: ScalingReport | undefined;
  /** Replicas on all instances of the fleet; all other members describe this instance. */
  readonly fleet?: FleetReplicas;
}

/** Replicas of a deployment over a fleet. */
export interface FleetReplicas {
  readonly targetReplicas: number;
  /** Running replicas by instance. */
  readonly running: Readonly<Record<string, number>>;
}

/** A new version on trial beside an app. */
export type TrialReport = {
  /** Name of the app as which the version runs. */
  readonly app: string;
  /** Whether the version receives calls. */
  readonly isOn: boolean;
} & (
  | { readonly kind: 'canary' /** Share of the calls, 0…1. */; readonly share: number }
  | {
      readonly kind: 'shadow';
      /** Comparison of the copies: a different result, a failure of the copy alone, or no comparison possible. */
      readonly compared: Readonly<Record<'match' | 'mismatch' | 'error' | 'dropped', number>>;
    }
);

export interface AppReport {
  readonly status: AppStatus;
  readonly routePrefix: string | null;
  /** The version of the deployment; a hash of all versions if there are several. */
  readonly version: string;
  readonly trial?: TrialReport;
  readonly deployments: Readonly<Record<string, DeploymentReport>>;
}

export function appStatus(deployments: readonly DeploymentStatus[], isDeleting: boolean): AppStatus {
  if (isDeleting) return 'DELETING';
  if (deployments.includes('DEPLOY_FAILED')) return 'DEPLOY_FAILED';
  if (deployments.includes('UNHEALTHY')) return 'UNHEALTHY';
  return deployments.includes('UPDATING') ? 'DEPLOYING' : 'RUNNING';
}

/** Conditions that determine the status of a deployment. */
export interface DeploymentCondition {
  readonly target: number;
  /** Running replicas of the wanted version. */
  readonly running: number;
  /** Starting and running replicas of any version. */
  readonly live: number;
  /** Live replicas of other versions. */
  readonly old: number;
  /** Whether a replica of the wanted version ever ran. */
  readonly hasRun: boolean;
  /** Whether the wanted version failed to start for good. */
  readonly isFailed: boolean;
  /** Whether the crash budget is spent. */
  readonly isCrashing: boolean;
  /** Whether a requested change is unfinished. */
  readonly isChanging: boolean;
  /** Direction of a target change that the replicas have not followed yet. */
  readonly scaling: 'up' | 'down' | undefined;
}

export function deploymentStatus(condition: DeploymentCondition): DeploymentStatus {
  const { target, running, live, old, scaling } = condition;
  if (condition.isFailed) return 'DEPLOY_FAILED';
  if (condition.isCrashing) return 'UNHEALTHY';
  if (running === target && live === target) return scaling === 'down' ? 'DOWNSCALING' : 'HEALTHY';
  if (old > 0 || (!condition.hasRun && scaling !== 'up')) return 'UPDATING';
  if (live > target) return 'DOWNSCALING';
  return condition.isChanging || scaling === 'up' ? 'UPSCALING' : 'UNHEALTHY';
}
