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
  readonly instance: string;
  readonly version: string;
  /** The `rank` label of its gauges. */
  readonly rank: number;
  /** Calls that hold a place. */
  readonly ongoing: number;
  /** Share of the last second for which its event loop was busy, 0…1. */
  readonly utilization: number;
}

/** The last decision about a number of replicas, and what it was made from. */
export interface ScalingReport {
  /** A timestamp like `Date.now()`. */
  readonly at: number;
  /** The target before. */
  readonly from: number;
  /** The target since. */
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
  /** Where its calls hold the event loops of their replicas: how much, and that they run one at a time. */
  readonly scheduling: string | undefined;
  /** Replicas that ended without being asked to, so far. */
  readonly restarts: number;
  /** Replicas that should be there and fit nowhere. */
  readonly pending: PendingReplicas | undefined;
  /** undefined: the deployment does not scale by itself. */
  readonly scaling: ScalingReport | undefined;
}

/** A new version that is tried beside an app. */
export type TrialReport = {
  /** The app that it runs as. */
  readonly app: string;
  /** Calls go there. */
  readonly isOn: boolean;
} & (
  | { readonly kind: 'canary' /** Of the calls, 0…1. */; readonly share: number }
  | {
      readonly kind: 'shadow';
      /** How the copies compared: another result, a failure where there was none, or nothing to compare. */
      readonly compared: Readonly<Record<'match' | 'mismatch' | 'error' | 'dropped', number>>;
    }
);

export interface AppReport {
  readonly status: AppStatus;
  readonly routePrefix: string | null;
  /** The version of its deployment; of several, a hash of theirs. */
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

/** What the status of a deployment follows from. */
export interface DeploymentCondition {
  readonly target: number;
  /** Running replicas of the wanted version. */
  readonly running: number;
  /** Starting and running replicas of any version. */
  readonly live: number;
  /** Those of other versions among them. */
  readonly old: number;
  /** A replica of the wanted version ran once. */
  readonly hasRun: boolean;
  /** It failed to start for good. */
  readonly isFailed: boolean;
  /** The crash budget is spent. */
  readonly isCrashing: boolean;
  /** A change that somebody asked for is not finished. */
  readonly isChanging: boolean;
  /** The target changed, and the replicas have not followed yet. */
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
