import type { HostedDeployment } from '../../deployment/app-spec.ts';
import type { DeploymentLoad } from '../../load/deployment-load.ts';
import type { ReplicaHost, ReplicaHosts, ReplicaPlace } from '../replica-host.ts';
import type { ThreadPool } from './thread.ts';
import { ThreadHost } from './thread-host.ts';
import { createThreadPool } from './thread-pool.ts';

/** Starts the replicas of one deployment in threads of this process. */
export class ThreadHosts implements ReplicaHosts {
  readonly #pool: ThreadPool;

  /** @param entry file of the worker entry */
  constructor(entry: string) {
    this.#pool = createThreadPool(entry);
  }

  start(spec: HostedDeployment, place: ReplicaPlace, deploymentLoad: DeploymentLoad): ReplicaHost {
    return new ThreadHost(this.#pool, spec, place, deploymentLoad);
  }
}
