import { ServeError } from '../errors.ts';
import { type DirectoryEvent, namesOf } from '../handle/routing/directory.ts';
import type { ThreadLink } from '../handle/routing/link.ts';
import { Router } from '../handle/routing/router.ts';
import { threadConnector } from '../handle/routing/thread-link.ts';
import { DeploymentLoad } from '../load/deployment-load.ts';
import { ReplicaLoad } from '../load/load-table.ts';
import { ReplicaHashTable } from '../load/replica-hashes.ts';
import { unpackEvent } from '../replica/packed-event.ts';
import { time } from '../time/clock.ts';
import { messageOf } from '../values/describe-value.ts';
import { packError } from '../values/pack.ts';
import type { Session } from '../wire/handshake.ts';
import type { LinkSocket } from '../wire/link-socket.ts';
import { type LinkListener, listenForLinks } from '../wire/listener.ts';
import type { LinkCertificates } from '../wire/security.ts';
import type { FleetInit, FromFleet, ToFleet } from './fleet-control.ts';
import { FleetTally } from './fleet-counts.ts';
import type { PeerAddress } from './fleet-options.ts';
import { LinkLog } from './member/link-log.ts';
import { MemberAgent } from './member/member-agent.ts';
import { MemberPeers } from './member/member-peers.ts';
import { type CommonDialOptions, dialOptions } from './peers/dial-options.ts';
import { PeerHealth } from './peers/health/peer-health.ts';
import { InboundLink } from './peers/inbound/inbound-link.ts';
import { Lateness } from './peers/lateness.ts';
import { ModelWatch } from './peers/models/model-watch.ts';
import { PeerClient } from './peers/peer-client.ts';
import { PeerCounts } from './peers/peer-counts.ts';
import { Relay } from './peers/relay.ts';
import { ServedDeployments } from './peers/served-deployments.ts';
import { CertificateFiles } from './tls/certificate-files.ts';

/** The period at which counted calls are shipped to the host, in ms. */
const STATS_MS = 1_000;

/**
 * The fleet thread's work: it accepts the links of peers, and calls the replicas of this instance for them. To the replicas
 * it is a caller thread like any other, so that their limits hold over the callers of all instances. It also keeps a link
 * to each peer, and tells the host what the peers have.
 */
export class FleetAgent {
  readonly #init: FleetInit;
  readonly #dialling: CommonDialOptions;
  readonly #router: Router;
  /** Loads of the replicas of this instance. */
  readonly #loads = new Map<string, ReplicaLoad>();
  readonly #served = new ServedDeployments(this.#loads, (status) => {
    for (const link of this.#links) link.tell(status);
  });
  readonly #models = new ModelWatch((replicaId) => this.#served.modelsChanged(replicaId));
  readonly #links = new Set<InboundLink>();
  readonly #peers = new Map<string, PeerClient>();
  /** Relays to deployments of peers, with the peers' addresses. */
  readonly #relays = new Map<string, { readonly relay: Relay; readonly address: string }>();
  readonly #member: MemberAgent;
  /** Links to the other members of the fleet, by instance. */
  readonly #members = new MemberPeers({
    open: (instance, address) => this.#dial(address, instance),
    up: (instance) => this.#member.linkUp(instance),
    down: (instance, cause) => this.#member.linkDown(instance, cause),
  });
  readonly #lateness = new Lateness();
  readonly #counts = new PeerCounts();
  readonly #health = new PeerHealth(time, () => this.#reportPeers());
  /** The last report about the peers, as text. */
  #reported = '';
  readonly #tally = new FleetTally();
  readonly #log = new LinkLog((level, fields, message) =>
    this.#post({ type: 'log', level, fields, message }),
  );
  #certificates: CertificateFiles | undefined = undefined;
  #isDraining = false;
  #listener: LinkListener | undefined = undefined;

  constructor(init: FleetInit) {
    this.#init = init;
    const { instanceId, callerIndex, epoch, options, control, redis } = init;
    this.#dialling = dialOptions(options, instanceId, epoch);
    this.#router = new Router(
      { index: callerIndex, instanceId, name: `${instanceId}.${callerIndex}` },
      {
        subscribe: (key) => this.#post({ type: 'subscribe', key }),
        lost: (replicaId, calls) => this.#post({ type: 'lost', replicaId, calls }),
        // Only inline replicas are replaced, and this thread has none.
        replaced() {},
      },
      {
        connectors: { thread: { connect: (link, onGone) => this.#connect(link, onGone) } },
        // The calls of this thread are answered to peers.
        onUnobserved() {},
      },
    );
    this.#member = new MemberAgent({
      instanceId,
      epoch,
      fleet: options,
      links: this.#members,
      tally: this.#tally,
      redis,
      post: (message) => this.#post(message),
    });
    if (options.tls !== undefined) this.#certificates = this.#followFiles(options.tls);
    control.on('message', (message: ToFleet) => this.#receive(message));
    time.every(STATS_MS, () => this.#shipStats()).unref();
  }

  /** Starts to listen. @throws the error of the server, such as EADDRINUSE */
  async start(): Promise<void> {
    const { host, port } = this.#init.options.listen;
    const { security, self } = this.#dialling;
    const onLink = (session: Session, socket: LinkSocket): void => this.#accept(session, socket);
    this.#listener = await listenForLinks({
      host,
      port,
      security,
      self,
      onLink,
      counts: this.#tally.faults,
      onRefused: (address, fault) => this.#log.refused(address, fault),
    });
    this.#post({ type: 'listening', port: this.#listener.port });
    this.#member.listening(this.#listener.port);
  }

  #receive(message: ToFleet): void {
    switch (message.type) {
      case 'directory':
        this.#follow(unpackEvent(message));
        return;
      case 'serve':
        this.#serve(message);
        return;
      case 'ingress':
        this.#served.setIngress(message.app, message.deployment);
        return;
      case 'withdraw':
        this.#served.remove(message.key);
        return;
      case 'peers':
        this.#meet(message.peers);
        return;
      case 'relay':
        this.#relay(message);
        return;
      case 'unrelay':
        this.#unrelay(message.replicaId, new ServeError('SERVE_REPLICA_DIED', 'the replicas were stopped'));
        return;
      case 'drain':
        this.#drain();
        return;
      case 'close':
        void this.#close();
        return;
      default:
        this.#member.receive(message);
        return;
    }
  }

  /** Follows certificates that are given as files. */
  #followFiles(tls: LinkCertificates): CertificateFiles {
    const { security } = this.#dialling;
    return new CertificateFiles(
      tls,
      (renewed) => {
        security.renew(renewed);
        this.#listener?.secureWith(security);
      },
      (error) => {
        const message = `the certificates of the fleet have changed and cannot be used: ${messageOf(error)}`;
        this.#post({ type: 'fault', cause: 'certificates', message });
      },
    );
  }

  #follow(event: DirectoryEvent): void {
    this.#router.apply(forPeers(event));
    if (event.type === 'route') this.#served.adopt(event.key, event.load, event.queue);
    this.#served.look(event.key);
  }

  #connect(link: ThreadLink, onGone: () => void) {
    const { replicaId, load } = link;
    const replica = new ReplicaLoad(load);
    this.#loads.set(replicaId, replica);
    this.#models.add(replicaId, replica.models);
    return threadConnector.connect(link, () => {
      this.#loads.delete(replicaId);
      this.#models.remove(replicaId);
      onGone();
      this.#served.lookAll();
    });
  }

  #serve({ key, config, maxQueued }: Extract<ToFleet, { type: 'serve' }>): void {
    const [app, deployment] = namesOf(key);
    this.#served.add(key, this.#router.route(app, deployment, key), config, maxQueued);
  }

  #accept(session: Session, socket: LinkSocket): void {
    const { maxPayload } = this.#dialling.self;
    const { instance } = session;
    const [lateness, rttMs] = [this.#lateness, () => this.#rttTo(instance) || session.rttMs];
    const pace = {
      lateMsAt: (at: number): number => lateness.msAt(at),
      get rttMs(): number {
        return rttMs();
      },
    };
    const listener = {
      control: (from: string, document: unknown) => this.#control(from, document),
      closed: () => this.#links.delete(link),
    };
    const { faults } = this.#tally;
    const served = this.#served;
    const link = new InboundLink(session, socket, maxPayload, served, pace, listener, faults, this.#counts);
    this.#links.add(link);
    if (this.#isDraining) link.drain();
  }

  /** Round trip to a peer by the pings of this thread's own link to it, in ms; 0 = unknown. */
  #rttTo(instance: string): number {
    for (const client of this.#peers.values()) if (client.instance === instance) return client.rttMs;
    return this.#members.rttTo(instance);
  }

  #drain(): void {
    this.#isDraining = true;
    for (const link of this.#links) link.drain();
  }

  /** Connects a replica of this instance with a deployment of a peer. */
  #relay({ address, callerName, port, ledger, ...target }: RelayMessage): void {
    const { replicaId, epoch, endpoint, methods } = target;
    const client = this.#peers.get(nameOf(address)) ?? this.#members.at(address);
    let relay = this.#relays.get(replicaId)?.relay;
    if (client?.epoch !== epoch) {
      // The host hears of the end of the link soon, and withdraws the endpoint.
      port.close();
      return;
    }
    if (relay === undefined) {
      const channel = client.channel({ endpoint, methods }, () => this.#relays.delete(replicaId));
      relay = new Relay(channel, methods, {
        load: new ReplicaLoad(target.load),
        deploymentLoad: new DeploymentLoad(target.deploymentLoad),
        replicaHashes: new ReplicaHashTable(target.replicaHashes),
      });
      this.#relays.set(replicaId, { relay, address: nameOf(address) });
    }
    relay.attach(callerName, port, ledger);
  }

  #unrelay(replicaId: string, error: unknown): void {
    this.#relays.get(replicaId)?.relay.close(error);
  }

  /** The link to a peer is gone, and so is what its relays passed on. */
  #down(address: PeerAddress, error: Error | undefined): void {
    for (const [replicaId, relay] of [...this.#relays])
      if (relay.address === nameOf(address)) this.#unrelay(replicaId, error);
    this.#post({ type: 'peerDown', address, error: packError(error) });
  }

  /** Keeps links to these peers, and to no others. */
  #meet(addresses: readonly PeerAddress[]): void {
    const wanted = new Map(addresses.map((address) => [nameOf(address), address]));
    for (const [name, client] of this.#peers) {
      if (wanted.has(name)) continue;
      this.#peers.delete(name);
      client.close(new ServeError('SERVE_UNAVAILABLE', 'the peer has left the fleet'));
    }
    for (const [name, address] of wanted)
      if (!this.#peers.has(name)) this.#peers.set(name, this.#dial(address));
  }

  /** @param expected the instance that should be there; undefined = any */
  #dial(address: PeerAddress, expected?: string): PeerClient {
    return new PeerClient(
      { ...this.#dialling, ...address, isKept: true, ...(expected !== undefined && { expected }) },
      { health: this.#health, counts: this.#counts, faults: this.#tally.faults },
      {
        opened: (instance) => this.#members.up(instance),
        up: (instance, epoch) => this.#post({ type: 'peerUp', address, instance, epoch }),
        endpoints: (status) => this.#post({ type: 'endpoints', address, status }),
        down: (error) => this.#down(address, error),
        closed: (error) => {
          this.#log.closed(expected ?? nameOf(address), address, error);
          if (expected !== undefined) this.#members.down(expected, undefined);
        },
        failed: (error, failures) => {
          this.#log.failed(expected ?? nameOf(address), address, error, failures);
          if (expected !== undefined) this.#members.down(expected, error);
        },
      },
    );
  }

  #control(instance: string, document: unknown): void {
    this.#members.heard(instance, document);
    this.#member.frame(instance, document);
  }

  /** Closes all that keeps the thread alive: it ends by itself then. */
  async #close(): Promise<void> {
    this.#shipStats();
    const error = new ServeError('SERVE_UNAVAILABLE', 'the instance is closed');
    this.#lateness.close();
    this.#log.close();
    this.#certificates?.close();
    this.#models.close();
    this.#served.close();
    this.#router.close(error);
    this.#member.close();
    this.#members.close(error);
    for (const client of this.#peers.values()) client.close(error);
    this.#health.close();
    for (const link of this.#links) link.close();
    await this.#listener?.close();
    this.#init.control.close();
  }

  #shipStats(): void {
    const calls = this.#router.takeStats();
    if (calls.length > 0) this.#post({ type: 'stats', calls });
    const counts = this.#tally.take();
    if (counts !== undefined) this.#post({ type: 'counts', counts });
    this.#reportPeers();
  }

  /** Tells the host how the peers are reached, if anything has changed. */
  #reportPeers(): void {
    const clients = [...this.#peers.values(), ...this.#members.clients()];
    const peers = clients.map(({ instance, rttMs, ejection }) => ({ instance, rttMs, ejection }));
    const report = { totals: { ...this.#counts, ejections: this.#health.ejections }, peers };
    const text = JSON.stringify(report);
    if (text === this.#reported) return;
    this.#reported = text;
    this.#post({ type: 'peerReport', report });
  }

  #post(message: FromFleet): void {
    this.#init.control.postMessage(message);
  }
}

type RelayMessage = Extract<ToFleet, { type: 'relay' }>;

function nameOf({ host, port }: PeerAddress): string {
  return `${host}:${port}`;
}

/**
 * Takes out of a deployment's configuration what is decided where a call entered the fleet: whether it is repeated or
 * hedged, and how long its stream may take.
 */
function forPeers(event: DirectoryEvent): DirectoryEvent {
  if (event.type !== 'route' && event.type !== 'config') return event;
  const config = {
    ...event.config,
    idempotent: false,
    hedge: undefined,
    streamIdleTimeoutMs: 0,
    streamTimeoutMs: 0,
  };
  return { ...event, config };
}
