import type { Reachable } from '../../handle/routing/endpoint-registry.ts';
import type { Link } from '../../handle/routing/link.ts';
import type { Caller } from '../../handle/routing/router.ts';
import type { PeerEndpoint } from './endpoint-table.ts';
import type { PeerChannel } from './peer-channel.ts';

/** Index of the host's thread among the callers of an instance. */
const HOST_INDEX = 0;

/** The replicas of one deployment in another instance, as one endpoint for the callers of this instance. */
export class PeerReplicas implements Reachable {
  readonly replicaId: string;
  readonly endpoint: PeerEndpoint;
  readonly #instanceId: string;
  /** The host's channel, once the host calls the deployment. */
  channel: PeerChannel | undefined = undefined;

  constructor(instanceId: string, epoch: number, endpoint: PeerEndpoint) {
    this.#instanceId = instanceId;
    this.endpoint = endpoint;
    this.replicaId = `${endpoint.deployment}@${instanceId}.${epoch}.${endpoint.number}`;
  }

  link({ index }: Caller): Link | undefined {
    if (index !== HOST_INDEX) return undefined;
    const { replicaId, endpoint } = this;
    const { number, version, methods } = endpoint;
    return { kind: 'peer', replicaId, instanceId: this.#instanceId, version, endpoint: number, methods };
  }
}
