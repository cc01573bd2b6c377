import type { MessagePort } from 'node:worker_threads';
import type { Reachable } from '../../handle/routing/endpoint-registry.ts';
import type { Link } from '../../handle/routing/link.ts';
import type { Caller } from '../../handle/routing/router.ts';
import { openThreadLink } from '../../handle/routing/thread-link.ts';
import type { DeploymentLoad } from '../../load/deployment-load.ts';
import { REPLICA_STATE, ReplicaLoad } from '../../load/load-table.ts';
import { ReplicaHashTable } from '../../load/replica-hashes.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import type { RelayTarget, ToFleet } from '../fleet-control.ts';
import type { PeerAddress } from '../fleet-options.ts';
import type { PeerEndpoint } from './endpoint-table.ts';
import type { PeerChannel } from './peer-channel.ts';

/** Index of the host's thread among the callers of an instance. */
const HOST_INDEX = 0;

/** The fleet thread, which passes the calls of replicas on. */
export interface RelayThread {
  /** Index of the thread among the callers of the instance. */
  readonly callerIndex: number;
  post(message: ToFleet, transfer?: readonly MessagePort[]): void;
}

/** One life of a peer. */
export interface PeerIdentity {
  readonly instance: string;
  readonly epoch: number;
  readonly address: PeerAddress;
}

/** The replicas of one deployment in another instance, as one endpoint for the callers of this instance. */
export class PeerReplicas implements Reachable {
  readonly replicaId: string;
  #endpoint: PeerEndpoint;
  /** Row of the relay in the load table. */
  readonly #load = new ReplicaLoad();
  readonly #tally = new ReplicaTally();
  readonly #replicaHashes = new ReplicaHashTable();
  readonly #instanceId: string;
  readonly #epoch: number;
  readonly #address: PeerAddress;
  readonly #thread: RelayThread;
  /** The deployment's row of the load table. */
  readonly #deploymentLoad: () => DeploymentLoad | undefined;
  #isRelayed = false;
  #isRetired = false;
  /** The host's channels: one for each name by which the host calls the deployment. */
  readonly channels = new Set<PeerChannel>();

  /** @param life distinguishes endpoints of the same number over several links */
  constructor(
    { instance, epoch, address }: PeerIdentity,
    life: number,
    endpoint: PeerEndpoint,
    thread: RelayThread,
    deploymentLoad: () => DeploymentLoad | undefined,
  ) {
    this.#instanceId = instance;
    this.#epoch = epoch;
    this.#address = address;
    this.#endpoint = endpoint;
    this.#thread = thread;
    this.#deploymentLoad = deploymentLoad;
    this.replicaId = `${endpoint.deployment}@${instance}.${life}.${endpoint.number}`;
    this.#load.limit = 1;
    this.#load.setState(REPLICA_STATE.ready);
  }

  /** The endpoint as the peer last described it. */
  get endpoint(): PeerEndpoint {
    return this.#endpoint;
  }

  /** The peer sent a new description of the endpoint. */
  update(endpoint: PeerEndpoint): void {
    this.#endpoint = endpoint;
    for (const channel of this.channels) channel.update(endpoint);
  }

  link({ index, name }: Caller): Link | undefined {
    // It is registered until its calls have ended, and callers may come meanwhile.
    if (this.#isRetired) return undefined;
    const { replicaId, endpoint } = this;
    const { number, version, methods } = endpoint;
    const identity = { replicaId, instanceId: this.#instanceId, version, methods };
    if (index === HOST_INDEX) return { kind: 'peer', ...identity, endpoint: number };
    const deploymentLoad = this.#deploymentLoad();
    // The calls of peers are not passed on to other peers.
    if (index === this.#thread.callerIndex || deploymentLoad === undefined) return undefined;
    this.#isRelayed = true;
    const [load, tally, replicaHashes] = [this.#load, this.#tally, this.#replicaHashes];
    const target: RelayTarget = {
      replicaId,
      epoch: this.#epoch,
      endpoint: number,
      methods,
      load: load.shared,
      deploymentLoad: deploymentLoad.shared,
      replicaHashes: replicaHashes.shared,
    };
    return openThreadLink({ ...identity, load, tally, replicaHashes }, (port, ledger) =>
      this.#thread.post(
        { type: 'relay', address: this.#address, callerName: name, port, ledger, ...target },
        [port],
      ),
    );
  }

  /** The endpoint accepts no more calls. Resolves when its calls have ended. */
  async retire(): Promise<void> {
    this.#isRetired = true;
    this.#load.setState(REPLICA_STATE.draining);
    await Promise.all([...Array.from(this.channels, (channel) => channel.retire()), this.#load.idle()]);
  }

  /** The endpoint is gone. */
  end(): void {
    this.#load.setState(REPLICA_STATE.dead);
    if (this.#isRelayed) this.#thread.post({ type: 'unrelay', replicaId: this.replicaId });
  }
}
