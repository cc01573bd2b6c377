import { MESSAGE_MS, VirtualThread, type VirtualTime } from '../../../../sim/engine/virtual-time.ts';
import type { PeerAddress } from '../../../../src/cluster/fleet-options.ts';
import { PeerHealth } from '../../../../src/cluster/peers/health/peer-health.ts';
import { HostPeers } from '../../../../src/cluster/peers/host-peers.ts';
import { InboundLink } from '../../../../src/cluster/peers/inbound/inbound-link.ts';
import { type Dial, PeerClient, type PeerClientNeeds } from '../../../../src/cluster/peers/peer-client.ts';
import { PeerCounts } from '../../../../src/cluster/peers/peer-counts.ts';
import { ServedDeployments } from '../../../../src/cluster/peers/served-deployments.ts';
import { type RouteConfig, UNKNOWN_CONFIG } from '../../../../src/handle/call/route-config.ts';
import { type DirectoryEvent, namesOf, routeKey } from '../../../../src/handle/routing/directory.ts';
import { type CallerPort, EndpointRegistry } from '../../../../src/handle/routing/endpoint-registry.ts';
import { RegistryDirectory } from '../../../../src/handle/routing/registry-directory.ts';
import type { Route } from '../../../../src/handle/routing/route.ts';
import { Router } from '../../../../src/handle/routing/router.ts';
import { threadConnector } from '../../../../src/handle/routing/thread-link.ts';
import type { DeploymentLoad } from '../../../../src/load/deployment-load.ts';
import { ReplicaLoad } from '../../../../src/load/load-table.ts';
import type { Session } from '../../../../src/wire/handshake.ts';
import { FaultCounts } from '../../../../src/wire/wire-error.ts';
import { LOOPBACK, security } from '../../wire/links.ts';
import { DataReplica, type RunLog } from './data-replica.ts';
import type { SimulatedSocket } from './simulated-wire.ts';

export const KEY = routeKey('app', 'Model');
const MAX_PAYLOAD = 1_000_000;
/** Index of the fleet thread among the callers of an instance; the host has 0. */
const FLEET_INDEX = 1;

export interface DataInstanceOptions {
  readonly name: string;
  readonly epoch: number;
  readonly address: PeerAddress;
  /** Places of each replica; none: the instance only calls. */
  readonly replicas: readonly number[];
  readonly config: Partial<RouteConfig>;
  readonly log: RunLog;
  /** Opens links from a thread of an instance. */
  dial(from: DataInstance, thread: VirtualThread): Dial;
}

/**
 * The data plane of an instance in virtual time: its host's router and its fleet thread's, the registry, the windows, the
 * links. Only the sockets, the hop between the two threads and the code of users are simulated.
 */
export class DataInstance {
  readonly options: DataInstanceOptions;
  readonly host = new VirtualThread();
  readonly fleet = new VirtualThread();
  readonly replicas = new Map<string, DataReplica>();
  /** Sockets of links that this instance dialled or accepted. */
  readonly sockets = new Set<SimulatedSocket>();
  isAlive = true;
  readonly #time: VirtualTime;
  readonly #registry = new EndpointRegistry();
  readonly #router: Router;
  readonly #fleetRouter: Router;
  readonly #loads = new Map<string, ReplicaLoad>();
  readonly #links = new Set<InboundLink>();
  readonly #served = new ServedDeployments(this.#loads, (status) => {
    for (const link of this.#links) link.tell(status);
  });
  readonly #peers: HostPeers;
  readonly #clients: PeerClient[] = [];
  readonly #healths: PeerHealth[] = [];
  readonly #faults = new FaultCounts();
  readonly counts = new PeerCounts();
  #started = 0;

  constructor(time: VirtualTime, options: DataInstanceOptions) {
    this.#time = time;
    this.options = options;
    const { name, config } = options;
    const registry = this.#registry;
    const common = { self: this.#self, allow: LOOPBACK, security: security({ trustNetwork: true }) };
    const relays = { callerIndex: FLEET_INDEX, post() {} };
    this.#peers = new HostPeers(registry, common, relays, this.#needs(this.host), undefined);
    const hostPort: CallerPort = {
      caller: { index: 0, instanceId: name, name: `${name}.0` },
      send: (event) => this.#router.apply(event),
    };
    const fleetPort: CallerPort = {
      caller: { index: FLEET_INDEX, instanceId: name, name: `${name}.1` },
      send: (event) => this.#toFleet(() => this.#follow(event)),
    };
    this.#router = new Router(hostPort.caller, new RegistryDirectory(registry, hostPort), {
      connectors: {
        thread: threadConnector,
        inline: { connect: () => Promise.reject(new Error('no replica is inline')) },
        peer: { connect: (link, onGone) => this.#peers.connect(link, onGone) },
      },
      onUnobserved() {},
    });
    this.#fleetRouter = new Router(
      fleetPort.caller,
      {
        subscribe: (key) => this.#toHost(() => registry.subscribe(fleetPort, key)),
        replaced() {},
        lost() {},
      },
      {
        connectors: { thread: { connect: (link, onGone) => this.#connect(link, onGone) } },
        onUnobserved() {},
      },
    );
    for (const port of [hostPort, fleetPort]) registry.addCaller(port);
    registry.observe({
      configured: (key, known, maxQueued) => {
        const [app, deployment] = namesOf(key);
        this.#toFleet(() =>
          this.#served.add(key, this.#fleetRouter.route(app, deployment, key), known, maxQueued),
        );
        this.#peers.configured(key, { version: 'own' });
      },
      removed() {},
      ingress() {},
    });
    registry.configure(KEY, { ...UNKNOWN_CONFIG, requestTimeoutMs: 0, ...config }, -1);
    registry.setIngress('app', 'Model');
    for (const places of options.replicas) this.startReplica(places);
  }

  get route(): Route {
    return this.#router.route('app', 'Model', KEY);
  }

  /** The route to the app's ingress, which is the same deployment by another name. */
  get ingress(): Route {
    return this.#router.route('app', '', routeKey('app', ''));
  }

  get places(): number {
    return [...this.replicas.values()].reduce((sum, { load }) => sum + load.limit, 0);
  }

  /** Number of calls of peers that wait here. */
  get landed(): number {
    return this.#served.deployment(1)?.windows.landed ?? 0;
  }

  /** Number of calls of peers with an idempotency key that did not run here, since another call did. */
  get shared(): number {
    const { coalesced = 0, replayed = 0 } = this.#fleetRouter.route('app', 'Model', KEY).counters.counts;
    return coalesced + replayed;
  }

  /** Keeps a link to another instance, as the fleet thread does. */
  meet(address: PeerAddress): void {
    const common = { self: this.#self, allow: LOOPBACK, security: security({ trustNetwork: true }) };
    this.#inFleet(() => {
      const client = new PeerClient({ ...common, ...address, isKept: true }, this.#needs(this.fleet), {
        opened() {},
        closed() {},
        up: (instance, epoch) => this.#toHost(() => this.#peers.up(address, instance, epoch)),
        endpoints: (status) => this.#toHost(() => this.#peers.described(address, status)),
        down: (error) => this.#toHost(() => this.#peers.down(address, error)),
        failed() {},
      });
      this.#clients.push(client);
    });
  }

  /** Accepts a link. */
  accept(session: Session, socket: SimulatedSocket): void {
    const pace = { lateMsAt: () => 0, rttMs: session.rttMs };
    const link = new InboundLink(session, socket, MAX_PAYLOAD, this.#served, pace, {
      control() {},
      closed: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }

  startReplica(places: number, version = 'v1'): void {
    const id = `${this.options.name}.${this.options.epoch}#${++this.#started}`;
    const threadOf = (caller: number): VirtualThread => (caller === 0 ? this.host : this.fleet);
    const load = this.#registry.load(KEY) as DeploymentLoad;
    const replica = new DataReplica(id, places, this.#time, load, threadOf, this.options.log, version);
    this.replicas.set(id, replica);
    this.#inHost(() => this.#registry.connect(KEY, replica));
  }

  /** The limit of the replicas changes, as by an update in place. */
  resize(places: number): void {
    this.#inHost(() => {
      this.#registry.configure(KEY, { ...UNKNOWN_CONFIG, requestTimeoutMs: 0, ...this.options.config }, -1);
      for (const replica of this.replicas.values()) replica.resize(places);
    });
  }

  /** Number of free places of the replicas. */
  get free(): number {
    return [...this.replicas.values()].reduce(
      (sum, { load }) => sum + Math.max(0, load.limit - load.ongoing),
      0,
    );
  }

  /** A replica dies with the calls that it has. */
  killReplica(id: string): void {
    const replica = this.replicas.get(id);
    this.replicas.delete(id);
    replica?.die();
    this.#inHost(() => this.#registry.disconnect(KEY, id, new Error('the replica died')));
  }

  /** The process ends: nothing of it runs any more. */
  kill(): void {
    this.isAlive = false;
    const error = new Error('the process was killed');
    for (const replica of this.replicas.values()) replica.die();
    for (const socket of this.sockets) socket.cut();
    for (const client of this.#clients) client.close(error);
    this.#peers.close();
    for (const health of this.#healths) health.close();
    this.#served.close();
    this.#fleetRouter.close(error);
    this.#inHost(() => this.#router.close(error));
  }

  /** @returns what the connections of one thread have in common */
  #needs(thread: VirtualThread): PeerClientNeeds {
    const health = new PeerHealth(this.#time);
    this.#healths.push(health);
    return { health, counts: this.counts, faults: this.#faults, dial: this.options.dial(this, thread) };
  }

  get #self() {
    const { name: instance, epoch } = this.options;
    return { instance, epoch, maxPayload: MAX_PAYLOAD };
  }

  #follow(event: DirectoryEvent): void {
    this.#fleetRouter.apply(event);
    if (event.type === 'route') this.#served.adopt(event.key, event.load, event.queue);
    this.#served.look(event.key);
  }

  #connect(link: Parameters<typeof threadConnector.connect>[0], onGone: () => void) {
    const { replicaId } = link;
    this.#loads.set(replicaId, new ReplicaLoad(link.load));
    return threadConnector.connect(link, () => {
      this.#loads.delete(replicaId);
      onGone();
      this.#served.lookAll();
    });
  }

  #inHost(run: () => void): void {
    this.#time.inThread(this.host, run);
  }

  #inFleet(run: () => void): void {
    this.#time.inThread(this.fleet, run);
  }

  #toHost(run: () => void): void {
    this.#inHost(() => this.#hop(run));
  }

  #toFleet(run: () => void): void {
    this.#inFleet(() => this.#hop(run));
  }

  #hop(run: () => void): void {
    this.#time.at(this.#time.now() + MESSAGE_MS, () => {
      if (this.isAlive) run();
    });
  }
}
