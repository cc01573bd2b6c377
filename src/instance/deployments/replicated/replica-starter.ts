import { freeRank } from '../../../controller/ranks.ts';
import type { HostedDeployment } from '../../../deployment/app-spec.ts';
import { demandOf } from '../../../deployment/options/resources.ts';
import { type RouteKey, routeKey } from '../../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../../handle/routing/endpoint-registry.ts';
import { ManagedReplica, type ReplicaOwner } from '../../../isolation/managed-replica.ts';
import type { ReplicaHosts } from '../../../isolation/replica-host.ts';
import type { DeploymentLoad } from '../../../load/deployment-load.ts';
import { randomId } from '../../ids.ts';
import type { Grant, ResourceLedger } from '../../resources/resource-ledger.ts';

export interface ReplicaStarterOptions {
  readonly instanceId: string;
  readonly registry: EndpointRegistry;
  readonly resources: ResourceLedger;
  /** Creates the environments of the replicas. */
  readonly hosts: ReplicaHosts;
  /** Index of one more thread that makes calls. */
  nextCallerIndex(): number;
  /** Whether replicas report the files that they load. */
  readonly isTracked: boolean;
}

/** Starts the replicas of one deployment. Reserves their resources, and releases them when the replicas are gone. */
export class ReplicaStarter {
  readonly #app: string;
  readonly #deployment: string;
  readonly #key: RouteKey;
  readonly #options: ReplicaStarterOptions;
  readonly #grants = new Map<ManagedReplica, Grant>();

  constructor(app: string, deployment: string, options: ReplicaStarterOptions) {
    this.#app = app;
    this.#deployment = deployment;
    this.#key = routeKey(app, deployment);
    this.#options = options;
  }

  /** The deployment's row of the load table; undefined if the deployment is gone. */
  get load(): DeploymentLoad | undefined {
    return this.#options.registry.load(this.#key);
  }

  /** @returns the reason if the replica fits nowhere; undefined if the deployment is gone */
  start(
    spec: HostedDeployment,
    others: Iterable<ManagedReplica>,
    owner: ReplicaOwner,
  ): ManagedReplica | string | undefined {
    const { instanceId, registry, resources, hosts, isTracked } = this.#options;
    const { load } = this;
    if (load === undefined) return undefined;
    const { options } = spec;
    const grant = resources.reserve(this.#key, demandOf(options.resources), options.maxReplicasPerInstance);
    if (typeof grant === 'string') return grant;
    const place = {
      app: this.#app,
      instanceId,
      replicaId: `${this.#deployment}#${randomId(6)}`,
      rank: freeRank(others),
      callerIndex: this.#options.nextCallerIndex(),
      isTracked,
      env: grant.env,
      gpus: grant.gpus,
    };
    const replica = new ManagedReplica(hosts.start(spec, place, load), place, spec, registry, owner);
    this.#grants.set(replica, grant);
    return replica;
  }

  /** Releases the resources of a replica that is gone. A replica that cannot be ended keeps them. */
  ended(replica: ManagedReplica): void {
    const grant = this.#grants.get(replica);
    this.#grants.delete(replica);
    if (grant !== undefined && !replica.isZombie) this.#options.resources.release(grant);
  }
}
