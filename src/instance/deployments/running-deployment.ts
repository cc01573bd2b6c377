import type { VersionRecord } from '../../controller/roll-out.ts';
import type { DeploymentReport, DeploymentStatus } from '../../controller/status.ts';
import type { HostedDeployment } from '../../deployment/app-spec.ts';
import type { ServeError } from '../../errors.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { IngressDescription } from '../../openapi/openapi-types.ts';
import type { UpdateBarrier } from './update-barrier.ts';

/** A deployment that this instance runs, wherever its replicas live. */
export interface RunningDeployment {
  readonly spec: HostedDeployment;
  readonly status: DeploymentStatus;
  /** Whether a call can be served now. */
  readonly isRoutable: boolean;
  /** Whether a call can be served now, or no replica is meant to be there. */
  readonly isReady: boolean;
  /** It cannot recover within this process. */
  readonly isDegraded: boolean;
  /** Rejects with `SERVE_DEPLOY_FAILED`. */
  start(group: UpdateBarrier): Promise<void>;
  /**
   * Goes over to another spec. Rejects with `SERVE_DEPLOY_FAILED`.
   * @param note the status message of the deployment from now on
   */
  update(spec: HostedDeployment, group: UpdateBarrier, note: string): Promise<void>;
  /** How its calls went so far; from now on it is taken as well how long they take. */
  observe(): VersionRecord;
  /** Nobody wants to know how long its calls take. */
  ignore(): void;
  /** Called on every change and every 250 ms. */
  tick(at: number): void;
  report(): Omit<DeploymentReport, 'scaling'>;
  /** The ingress that it is, as a replica describes it; undefined while none runs. */
  describe(): Promise<IngressDescription | undefined>;
  /** Its replicas in threads of their own. */
  threads(): Iterable<ManagedReplica>;
  /** Ends a replica at once; false if it is another's. */
  kill(replica: ManagedReplica, why: string): boolean;
  /** Resolves when nothing is left of earlier versions: their calls are over. */
  predecessorsGone(): Promise<void>;
  /** Serves what waits and runs, then ends. Later calls fail with `error`. */
  stop(timeoutMs: number, error: ServeError): Promise<void>;
}
