import type { VersionRecord } from '../../controller/roll-out.ts';
import type { DeploymentReport, DeploymentStatus } from '../../controller/status.ts';
import type { HostedDeployment } from '../../deployment/app-spec.ts';
import type { ServeError } from '../../errors.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { IngressDescription } from '../../openapi/openapi-types.ts';
import type { UpdateBarrier } from './update-barrier.ts';

/** A deployment with a number of replicas that follows the plan. */
export interface ScalableDeployment {
  readonly spec: HostedDeployment;
  /** Target number of replicas. */
  readonly target: number;
  /** Total number of replicas that failed to start. */
  readonly failedStarts: number;
  replicas(): Iterable<ManagedReplica>;
}

/** A deployment that this instance runs, whatever the environment of its replicas. */
export interface RunningDeployment {
  readonly spec: HostedDeployment;
  readonly status: DeploymentStatus;
  /** Whether a call can be served now. */
  readonly isRoutable: boolean;
  /** Whether a call can be served now, or no replica is meant to be there. */
  readonly isReady: boolean;
  /** Whether the deployment cannot recover within this process. */
  readonly isDegraded: boolean;
  /** The deployment itself if it has a number of replicas. */
  readonly scalable: ScalableDeployment | undefined;
  /** Rejects with `SERVE_DEPLOY_FAILED`. */
  start(group: UpdateBarrier): Promise<void>;
  /**
   * Changes to another spec. Rejects with `SERVE_DEPLOY_FAILED`.
   * @param note status message of the deployment from now on
   */
  update(spec: HostedDeployment, group: UpdateBarrier, note: string): Promise<void>;
  /** The outcomes of the calls so far; from now on call durations are sampled as well. */
  observe(): VersionRecord;
  /** Ends the sampling of call durations. */
  ignore(): void;
  /** Called on every change and every 250 ms. */
  tick(at: number): void;
  /** The plan changed. */
  followPlan(): void;
  report(): Omit<DeploymentReport, 'scaling'>;
  /** The deployment as an ingress, described by a replica; undefined while none runs. */
  describe(): Promise<IngressDescription | undefined>;
  /** The replicas that this instance starts and ends. */
  replicas(): Iterable<ManagedReplica>;
  /** Ends a replica at once; false if it belongs to another deployment. */
  destroy(replicaId: string, why: string): boolean;
  /** Resolves when the calls to earlier versions are over. */
  predecessorsGone(): Promise<void>;
  /** Serves the waiting and running calls, then ends. Later calls fail with `error`. */
  close(timeoutMs: number, error: ServeError): Promise<void>;
}
