import type { CallChannel } from '../../channel/call-channel.ts';
import { ServeError } from '../../errors.ts';
import type { RouteConfig } from '../../handle/call/route-config.ts';
import type { TenantsOptions } from '../../handle/queue/tenants.ts';
import { namesOf, type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { PeerLink } from '../../handle/routing/link.ts';
import type { DeploymentLoad } from '../../load/deployment-load.ts';
import { type Timer, time } from '../../time/clock.ts';
import { inRootContext } from '../../time/root-context.ts';
import type { PeerAddress } from '../fleet-options.ts';
import type { CommonDialOptions } from './dial-options.ts';
import type { EndpointsStatus } from './endpoint-table.ts';
import type { Ejection } from './health/ejection.ts';
import { linkLost } from './link-lost.ts';
import { PeerClient, type PeerClientNeeds } from './peer-client.ts';
import { type PeerIdentity, PeerReplicas, type RelayThread } from './peer-replicas.ts';

/** Time for which a deployment is remembered that only peers had, in ms: they may come back. */
const FORGET_MS = 60_000;

/** A peer while the fleet thread has a link to it: its endpoints, and the host's own connection to it. */
interface Peer extends PeerIdentity {
  /** Number of the fleet thread's link. */
  readonly life: number;
  readonly client: PeerClient;
  readonly endpoints: Map<number, PeerReplicas>;
}

/**
 * The peers of an instance on its host's thread: registers their deployments as endpoints, as the fleet thread learns of
 * them, and makes the host's channels to them.
 */
export class HostPeers {
  readonly #registry: EndpointRegistry;
  readonly #dialling: CommonDialOptions;
  readonly #thread: RelayThread;
  readonly #needs: PeerClientNeeds;
  readonly #tenants: TenantsOptions | undefined;
  #lives = 0;
  /** Peers by address. */
  readonly #peers = new Map<string, Peer>();
  /** Deployments that this instance knows. */
  readonly #known = new Set<RouteKey>();
  /** Deployments among them that only peers have. */
  readonly #foreign = new Set<RouteKey>();
  /** Apps that were deleted from the whole fleet. */
  #ended: ReadonlySet<string> = new Set();
  /** Timers by which foreign deployments are forgotten. */
  readonly #forgetting = new Map<RouteKey, Timer>();
  /** The clients that only wait for the end of calls. */
  readonly #finishing = new Set<PeerClient>();
  #isClosed = false;

  /** @param tenants weights of tenants in this instance: those of a peer are its own */
  constructor(
    registry: EndpointRegistry,
    dialling: CommonDialOptions,
    thread: RelayThread,
    needs: PeerClientNeeds,
    tenants: TenantsOptions | undefined,
  ) {
    this.#registry = registry;
    this.#tenants = tenants;
    this.#dialling = dialling;
    this.#thread = thread;
    this.#needs = needs;
  }

  get instances(): string[] {
    return [...this.#peers.values()].map(({ instance }) => instance);
  }

  /** The peers that the host's own links eject. */
  get ejections(): { readonly instance: string; readonly ejection: Ejection }[] {
    return [...this.#peers.values()].flatMap(({ instance, client: { ejection } }) =>
      ejection === undefined ? [] : [{ instance, ejection }],
    );
  }

  /** The instance knows a deployment from now on: one of its own if the configuration has a version. */
  configured(key: RouteKey, { version }: Pick<RouteConfig, 'version'>): void {
    if (version === undefined) this.#foreign.add(key);
    else this.#foreign.delete(key);
    if (this.#known.has(key)) return;
    this.#known.add(key);
    // An earlier life of the fleet thread may have registered what no peer has any more.
    if (!this.#isAtPeers(key)) this.#forget(key);
    for (const { endpoints } of this.#peers.values())
      for (const replicas of endpoints.values())
        if (keyOf(replicas) === key) this.#registry.connect(key, replicas);
  }

  removed(key: RouteKey): void {
    this.#known.delete(key);
    this.#foreign.delete(key);
    // The registry is in the middle of the removal.
    queueMicrotask(() => this.#adoptAll());
  }

  /** The fleet thread has a link to a peer. */
  up(address: PeerAddress, instance: string, epoch: number): void {
    this.#drop(nameOf(address), undefined);
    const client = new PeerClient(
      { ...this.#dialling, ...address, expected: instance, epoch, isKept: false },
      this.#needs,
      { opened() {}, up() {}, endpoints() {}, down() {}, closed() {}, failed() {} },
    );
    this.#peers.set(nameOf(address), {
      instance,
      epoch,
      address,
      life: ++this.#lives,
      client,
      endpoints: new Map(),
    });
  }

  /** A peer described its deployments. */
  described(address: PeerAddress, { endpoints, gone }: EndpointsStatus): void {
    const peer = this.#peers.get(nameOf(address));
    if (peer === undefined) return;
    for (const number of gone) {
      const replicas = peer.endpoints.get(number);
      peer.endpoints.delete(number);
      if (replicas !== undefined) void this.#withdraw(replicas);
    }
    for (const endpoint of endpoints) {
      const known = peer.endpoints.get(endpoint.number);
      if (known !== undefined) {
        known.update(endpoint);
        continue;
      }
      const key = routeKey(endpoint.app, endpoint.deployment);
      const load = (): DeploymentLoad | undefined => this.#registry.load(key);
      const replicas = new PeerReplicas(peer, peer.life, endpoint, this.#thread, load);
      peer.endpoints.set(endpoint.number, replicas);
      if (this.#known.has(key)) this.#registry.connect(key, replicas);
      else this.#adopt(replicas);
    }
  }

  /**
   * The link of the fleet thread to a peer is gone. If the peer closed it in order, without a cause, answers may still be on the
   * host's own link, which the peer closes as well.
   *
   * @returns the peer
   */
  down(address: PeerAddress, cause: unknown): string | undefined {
    const name = nameOf(address);
    const client = this.#peers.get(name)?.client;
    if (client !== undefined && cause === undefined) void this.#letEnd(client);
    return this.#drop(name, cause);
  }

  /** These apps, and no others, are deleted from the whole fleet: calls to them do not wait for an instance that has them. */
  ended(apps: readonly string[]): void {
    this.#ended = new Set(apps);
    for (const key of [...this.#foreign]) if (this.#hasEnded(key)) this.#remove(key);
  }

  /** Connects the host's router with a deployment of a peer. */
  connect({ replicaId, instanceId, endpoint, methods }: PeerLink, onGone: () => void): CallChannel {
    for (const { instance, client, endpoints } of this.#peers.values()) {
      const replicas = endpoints.get(endpoint);
      if (instance !== instanceId || replicas?.replicaId !== replicaId) continue;
      const channel = client.channel({ endpoint, methods }, () => {
        replicas.channels.delete(channel);
        // The next life of the fleet thread may have an endpoint of the same name.
        if (!this.#isClosed) onGone();
      });
      channel.update(replicas.endpoint);
      replicas.channels.add(channel);
      return channel;
    }
    throw new TypeError(`no peer has an endpoint ${replicaId}`);
  }

  /**
   * The fleet thread is gone: calls that are under way over the host's own links go on.
   *
   * @param cause of the end
   * @returns a promise that resolves when they have ended
   */
  async finish(cause: unknown): Promise<void> {
    for (const { client } of this.#peers.values()) this.#finishing.add(client);
    const ends = Array.from(this.#finishing, (client) => client.finish(linkLost(client.instance, cause)));
    this.#end(cause);
    await Promise.all(ends);
    this.#finishing.clear();
  }

  /** The instance closes. */
  close(): void {
    for (const client of this.#finishing) client.close(linkLost(client.instance, undefined));
    this.#end(undefined);
  }

  #end(cause: unknown): void {
    this.#isClosed = true;
    for (const name of [...this.#peers.keys()]) this.#drop(name, cause);
    for (const timer of this.#forgetting.values()) time.cancel(timer);
    this.#forgetting.clear();
  }

  async #letEnd(client: PeerClient): Promise<void> {
    this.#finishing.add(client);
    await client.finish(linkLost(client.instance, undefined));
    this.#finishing.delete(client);
  }

  #drop(name: string, cause: unknown): string | undefined {
    const peer = this.#peers.get(name);
    if (peer === undefined) return undefined;
    this.#peers.delete(name);
    const error = linkLost(peer.instance, cause);
    for (const replicas of peer.endpoints.values()) this.#disconnect(replicas, error);
    if (!this.#finishing.has(peer.client)) peer.client.close(error);
    return peer.instance;
  }

  #adoptAll(): void {
    for (const { endpoints } of this.#peers.values())
      for (const replicas of endpoints.values()) if (!this.#known.has(keyOf(replicas))) this.#adopt(replicas);
  }

  /** Registers a deployment that only peers have. */
  #adopt(replicas: PeerReplicas): void {
    const key = keyOf(replicas);
    const { app, deployment, isIngress, config, maxQueued } = replicas.endpoint;
    // There is no version of this instance's own, which would go first.
    const own = { tenants: this.#tenants, version: undefined };
    this.#registry.configure(key, { ...config, ...own }, maxQueued);
    if (isIngress) this.#registry.setIngress(app, deployment);
  }

  /** Removes a deployment that only peers had, once none has had it for a while; at once if its app is deleted. */
  #forget(key: RouteKey): void {
    if (this.#isClosed || !this.#foreign.has(key)) return;
    // The minute begins with the last of several peers that are lost.
    time.cancel(this.#forgetting.get(key));
    if (this.#hasEnded(key)) {
      this.#remove(key);
      return;
    }
    const timer = inRootContext(() =>
      time.after(FORGET_MS, () => {
        this.#forgetting.delete(key);
        if (this.#foreign.has(key) && !this.#isAtPeers(key)) this.#remove(key);
      }),
    );
    timer.unref();
    this.#forgetting.set(key, timer);
  }

  #hasEnded(key: RouteKey): boolean {
    return this.#ended.has(namesOf(key)[0]) && !this.#isAtPeers(key);
  }

  #remove(key: RouteKey): void {
    time.cancel(this.#forgetting.get(key));
    this.#forgetting.delete(key);
    const [app, deployment] = namesOf(key);
    const gone = `no instance of the fleet has a replica of '${deployment}' of app '${app}'`;
    this.#registry.remove(key, new ServeError('SERVE_NOT_FOUND', gone, { app, deployment }));
  }

  #isAtPeers(key: RouteKey): boolean {
    return [...this.#peers.values()].some(({ endpoints }) =>
      [...endpoints.values()].some((replicas) => keyOf(replicas) === key),
    );
  }

  /** Removes an endpoint once its calls have ended. */
  async #withdraw(replicas: PeerReplicas): Promise<void> {
    await replicas.retire();
    const error = new ServeError('SERVE_REPLICA_DIED', `${replicas.replicaId}: the replicas were stopped`);
    this.#disconnect(replicas, error);
  }

  #disconnect(replicas: PeerReplicas, error: ServeError): void {
    const key = keyOf(replicas);
    this.#registry.disconnect(key, replicas.replicaId, error);
    replicas.end();
    this.#forget(key);
  }
}

function nameOf({ host, port }: PeerAddress): string {
  return `${host}:${port}`;
}

function keyOf({ endpoint: { app, deployment } }: PeerReplicas): RouteKey {
  return routeKey(app, deployment);
}
