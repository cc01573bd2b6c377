import type { CallChannel } from '../channel/call-channel.ts';
import { type CrashHistory, nextStartAt, recordCrash } from '../controller/back-off.ts';
import type { TenantsOptions } from '../handle/queue/tenants.ts';
import type { CountedCalls } from '../handle/routing/ended-counts.ts';
import type { CallerPort, EndpointRegistry } from '../handle/routing/endpoint-registry.ts';
import type { PeerLink } from '../handle/routing/link.ts';
import type { Events } from '../observe/events.ts';
import { LogLimiter } from '../observe/log-limiter.ts';
import type { Logger } from '../observe/logger.ts';
import type { PeerSample } from '../observe/peer-metrics.ts';
import { packEvent } from '../replica/packed-event.ts';
import { now, type Timer, time } from '../time/clock.ts';
import { messageOf } from '../values/describe-value.ts';
import { unpack } from '../values/pack.ts';
import type { LinkCertificates } from '../wire/security.ts';
import type { FleetInit, FromFleet, FromMember, ToFleet } from './fleet-control.ts';
import { countsOf, type FleetCounts, sumOfCounts } from './fleet-counts.ts';
import type { FleetOptions, PeerAddress } from './fleet-options.ts';
import { FleetWorker } from './fleet-worker.ts';
import { dialOptions } from './peers/dial-options.ts';
import { HostPeers } from './peers/host-peers.ts';
import type { PeerClientNeeds } from './peers/peer-client.ts';
import type { RelayThread } from './peers/peer-replicas.ts';
import { PeerWatch } from './peers/peer-watch.ts';
import { RedisLender } from './redis/lender.ts';
import { CertificateFiles } from './tls/certificate-files.ts';

/** After three deaths within a minute the thread is started every 30 s only. */
const RESTART = { maxCrashes: 3, windowMs: 60_000, maxDelayMs: 30_000 };

/** The parts of an instance that the host of the fleet thread uses. */
export interface FleetNeeds {
  readonly instanceId: string;
  readonly registry: EndpointRegistry;
  readonly events: Events;
  readonly log: Logger;
  /** File of the fleet thread's entry. */
  readonly entry: string;
  /** Weights of tenants, which calls to deployments of peers have here as well. */
  readonly tenants: TenantsOptions | undefined;
  nextCallerIndex(): number;
  /** Takes the counts of the thread's calls. */
  count(calls: readonly CountedCalls[]): void;
}

/** The host's part of the membership, as it hears of the fleet thread. */
export interface MemberHostListener {
  /** The thread runs, perhaps after a restart, and knows nothing yet. */
  started(): void;
  received(message: FromMember): void;
}

/**
 * The host's side of the fleet thread: starts it, restarts it when it dies, and tells it which deployments it serves.
 * While the thread is away the instance serves alone.
 */
export class FleetHost {
  readonly #options: FleetOptions;
  readonly #needs: FleetNeeds;
  readonly #listening = Promise.withResolvers<PeerAddress>();
  #peers: readonly PeerAddress[];
  #life: FleetLife | undefined = undefined;
  /** Lives that have ended, while calls are under way over their links. */
  readonly #former = new Set<FleetLife>();
  #epoch = 0;
  #crashes: CrashHistory = [];
  #restart: Timer | undefined = undefined;
  #member: MemberHostListener | undefined = undefined;
  readonly #watch: PeerWatch;
  readonly #log: LogLimiter;
  readonly #lender: RedisLender | undefined;
  /** Counts of the thread's present life, and of its former ones. */
  #counts: FleetCounts = {};
  #formerCounts: FleetCounts = {};
  /** Bound port, which the next life of the thread listens at as well. */
  #port: number;
  #isClosed = false;

  constructor(options: FleetOptions, needs: FleetNeeds) {
    this.#options = options;
    this.#needs = needs;
    this.#watch = new PeerWatch(needs, () => this.#life?.peers.ejections ?? []);
    this.#log = new LogLimiter(needs.log);
    const client = options.membership?.redis.client;
    this.#lender =
      client && new RedisLender(client, (error) => this.#fault('the client of Redis cannot be used', error));
    this.#port = options.listen.port;
    this.#peers = options.peers ?? [];
    // The code that starts the fleet need not wait for it.
    this.#listening.promise.catch(() => {});
    this.#begin(this.#newLife());
  }

  /** Resolves with the address at which peers reach this instance, once they do. */
  get address(): Promise<PeerAddress> {
    return this.#listening.promise;
  }

  /** Number of the thread's life. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Sends a message to the thread; it is lost while the thread is away. */
  post(message: ToFleet): void {
    this.#life?.worker.post(message);
  }

  /** Sets the only listener of the membership, which is called at each start of the thread from now on, and now. */
  onMember(listener: MemberHostListener): void {
    this.#member = listener;
    if (this.#life !== undefined) listener.started();
  }

  /** Sets the other instances of the fleet. */
  connect(peers: readonly PeerAddress[]): void {
    this.#peers = peers;
    this.#life?.worker.post({ type: 'peers', peers });
  }

  /** The instances to which this one has links. */
  get peers(): readonly string[] {
    return this.#life?.peers.instances ?? [];
  }

  /** The calls to peers, and how the peers are reached. */
  get peerSample(): PeerSample {
    return this.#watch.sample;
  }

  /** Counts of failures in Redis, and of links that were refused, or closed because a peer broke the protocol. */
  get counts(): FleetCounts {
    return sumOfCounts(this.#formerCounts, this.#counts, countsOf(this.#watch.faults));
  }

  /** Reasons for which instances get no calls, by instance. */
  get ejected(): ReadonlyMap<string, string> {
    return this.#watch.ejected;
  }

  /** Connects the host's router with a deployment of a peer. */
  link(link: PeerLink, onGone: () => void): CallChannel {
    if (this.#life === undefined) throw new TypeError('the fleet thread is gone');
    return this.#life.peers.connect(link, onGone);
  }

  /** @internal Ends the thread as a crash would. */
  destroyThread(): void {
    this.#life?.worker.destroy();
  }

  /** The instance is about to close: peers send no more calls, and finish those that are under way. */
  drain(): void {
    this.#life?.worker.post({ type: 'drain' });
  }

  /** Closes all links and ends the thread. */
  async close(): Promise<void> {
    this.#isClosed = true;
    time.cancel(this.#restart);
    this.#needs.registry.observe(undefined);
    this.#log.close();
    this.#watch.close();
    this.#lender?.close();
    this.#listening.reject(new Error('the instance is closed'));
    for (const { peers } of this.#former) peers.close();
    await this.#life?.worker.close();
  }

  /** @throws the error of a thread that cannot be started, such as one of its certificates */
  #newLife(): FleetLife {
    const epoch = ++this.#epoch;
    const { membership, listen } = this.#options;
    const options = { ...this.#options, listen: { host: listen.host, port: this.#port } };
    // A client cannot go to another thread.
    if (membership !== undefined && this.#lender !== undefined)
      options.membership = { ...membership, redis: {} };
    const redis = this.#lender?.lend();
    const init = { epoch, options, ...(redis && { redis }) };
    try {
      return new FleetLife(this.#needs, init, this.#watch, (message) => this.#receive(message));
    } catch (error) {
      redis?.close();
      throw error;
    }
  }

  #begin(life: FleetLife): void {
    this.#life = life;
    life.worker.post({ type: 'peers', peers: this.#peers });
    this.#member?.started();
    void life.worker.exited.then((reason) => this.#ended(life, reason));
  }

  #startAgain(): void {
    let life: FleetLife;
    try {
      life = this.#newLife();
    } catch (error) {
      this.#startLater('the fleet thread could not be started', error);
      return;
    }
    this.#begin(life);
  }

  /** @param what happened, and `reason` is why */
  #startLater(what: string, reason: unknown): void {
    const at = now();
    this.#crashes = recordCrash(this.#crashes, at);
    const pause = Math.max(0, nextStartAt(this.#crashes, RESTART, at) - at);
    this.#restart = time.after(pause, () => this.#startAgain());
    this.#restart.unref();
    this.#fault(what, reason, `, and starts again in ${Math.round(pause)} ms`);
  }

  #receive(message: FromFleet): void {
    switch (message.type) {
      case 'listening':
        this.#port = message.port;
        this.#listening.resolve({ host: this.#options.listen.host, port: message.port });
        return;
      case 'failed':
        this.#fault('the fleet thread failed', unpack(message.error));
        return;
      case 'peerUp':
        this.#life?.peers.up(message.address, message.instance, message.epoch);
        this.#needs.events.emit('peer', { instance: message.instance, state: 'LINKED' });
        return;
      case 'endpoints':
        this.#life?.peers.described(message.address, message.status);
        return;
      case 'peerDown':
        this.#peerDown(message.address, unpack(message.error));
        return;
      case 'stats':
        this.#needs.count(message.calls);
        return;
      case 'counts':
        this.#counts = message.counts;
        return;
      case 'log':
        this.#needs.log[message.level](message.fields, message.message);
        return;
      case 'peerReport':
        this.#watch.reported(message.report);
        return;
      case 'subscribe':
      case 'lost':
        return;
      case 'fault':
        if (this.#member === undefined) this.#fault(message.cause, new Error(message.message));
        else this.#member.received(message);
        return;
      case 'view':
        this.#life?.peers.ended(message.view.ended);
        this.#member?.received(message);
        return;
      default:
        this.#member?.received(message);
        return;
    }
  }

  #peerDown(address: PeerAddress, error: unknown): void {
    const instance = this.#life?.peers.down(address, error);
    if (instance !== undefined) this.#needs.events.emit('peer', { instance, state: 'UNLINKED' });
  }

  #ended(life: FleetLife, reason: unknown): void {
    if (this.#isClosed) life.end();
    else void this.#finish(life, reason);
    this.#life = undefined;
    this.#watch.threadEnded();
    this.#formerCounts = sumOfCounts(this.#formerCounts, this.#counts);
    this.#counts = {};
    if (!this.#isClosed) this.#startLater('the fleet thread ended', reason);
  }

  async #finish(life: FleetLife, reason: unknown): Promise<void> {
    this.#former.add(life);
    await life.finish(reason);
    this.#former.delete(life);
  }

  /** @param rest of the message, which differs each time */
  #fault(what: string, error: unknown, rest = ''): void {
    this.#log.write('error', [what], { err: error }, `${what}${rest}: ${messageOf(error)}`);
    this.#needs.events.emit('fault', { reason: `${what}${rest}`, error });
  }
}

/** One life of the fleet thread, with its entries in the registry. */
class FleetLife {
  readonly worker: FleetWorker;
  readonly peers: HostPeers;
  readonly #registry: EndpointRegistry;
  readonly #caller: CallerPort;
  readonly #certificates: CertificateFiles | undefined;

  constructor(
    { registry, instanceId, entry, tenants, nextCallerIndex }: FleetNeeds,
    { epoch, options, redis }: Pick<FleetInit, 'epoch' | 'options' | 'redis'>,
    needs: PeerClientNeeds,
    receive: (message: FromFleet) => void,
  ) {
    this.#registry = registry;
    // The certificates may be missing or wrong: the worker starts only with those that can be used.
    const dialling = dialOptions(options, instanceId, epoch);
    // The fleet thread follows the files as well, and says what is wrong with them.
    const renew = (certificates: LinkCertificates): void => dialling.security.renew(certificates);
    this.#certificates = options.tls && new CertificateFiles(options.tls, renew, () => {});
    const callerIndex = nextCallerIndex();
    this.#caller = {
      caller: { index: callerIndex, instanceId, name: `${instanceId}.${callerIndex}` },
      send: (event, transfer) => this.worker.post({ type: 'directory', ...packEvent(event) }, transfer),
    };
    const init = { instanceId, callerIndex, epoch, options, ...(redis && { redis }) };
    try {
      this.worker = new FleetWorker(entry, init, (message) => {
        if (message.type === 'subscribe') registry.subscribe(this.#caller, message.key);
        else if (message.type === 'lost') registry.lost(this.#caller, message.replicaId, message.calls);
        else receive(message);
      });
    } catch (error) {
      this.#certificates?.close();
      throw error;
    }
    const post: RelayThread['post'] = (message, transfer) => this.worker.post(message, transfer);
    this.peers = new HostPeers(registry, dialling, { callerIndex, post }, needs, tenants);
    registry.addCaller(this.#caller);
    registry.observe({
      configured: (key, config, maxQueued) => {
        // Every instance has inline deployments of its own.
        if (config.isByReference) return;
        this.worker.post({ type: 'serve', key, config, maxQueued });
        this.peers.configured(key, config);
      },
      ingress: (app, deployment) => this.worker.post({ type: 'ingress', app, deployment }),
      removed: (key) => {
        this.worker.post({ type: 'withdraw', key });
        this.peers.removed(key);
      },
    });
  }

  /** The instance closes. */
  end(): void {
    this.#giveBack();
    this.peers.close();
  }

  /** The thread has died. @returns a promise that resolves when no call is under way over the host's links of this life */
  async finish(reason: unknown): Promise<void> {
    this.#giveBack();
    await this.peers.finish(new Error('the fleet thread of this instance ended', { cause: reason }));
  }

  /** Gives back what the thread held: its places, and those in queues. */
  #giveBack(): void {
    this.#certificates?.close();
    this.#registry.observe(undefined);
    this.#registry.removeCaller(this.#caller);
  }
}
