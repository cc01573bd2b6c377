import type { HostedDeployment } from '../deployment/app-spec.ts';
import { ServeError } from '../errors.ts';
import { routeKey } from '../handle/routing/directory.ts';
import type { EndpointRegistry, Reachable } from '../handle/routing/endpoint-registry.ts';
import type { Link } from '../handle/routing/link.ts';
import type { Caller } from '../handle/routing/router.ts';
import { REPLICA_STATE, type ReplicaLoad } from '../load/load-table.ts';
import type { ReplicaTally } from '../load/replica-tally.ts';
import type { OpenCalls, ReplicaReport, StartPhase, ToHost } from '../replica/control.ts';
import { activeTime } from '../time/active-time.ts';
import { within } from '../time/timeout.ts';
import { unpack } from '../values/pack.ts';
import { ChildExitError } from './child/child-exit.ts';
import { ControlLink } from './control-link.ts';
import { callsEnded, type Draining, type DrainLimits, endLimit } from './drain.ts';
import { Membership } from './membership.ts';
import { endInOrder, RUN_DRY_MS } from './orderly-end.ts';
import { type DeathCause, deathReason, type ReplicaExit } from './replica-exit.ts';
import type { LoopStack, ReplicaHost, ReplicaPlace } from './replica-host.ts';

/** Ray's states of a replica. A stuck replica is `RUNNING` with a blocked event loop. */
export type ReplicaState = 'STARTING' | 'RUNNING' | 'STOPPING' | 'STOPPED';

/** Time after which a replica that does not end by itself is terminated, in ms. */
const DISPOSE_GRACE_MS = 1_000;
/** Time after `terminate()` after which a remaining host is given up, in ms: native code blocks it. */
const TERMINATE_TIMEOUT_MS = 2_000;

/** The owner of replicas, which is told about their changes. */
export interface ReplicaOwner {
  /** The replica accepts calls from now on. */
  ready(replica: ManagedReplica): void;
  /** The replica is gone. */
  exited(replica: ManagedReplica, exit: ReplicaExit): void;
  /** The replica reports on its calls or its user code. */
  reported(replica: ManagedReplica, report: ReplicaReport): void;
  /** The event loop has been blocked for this time, and no call has begun or ended: the replica accepts no more calls. */
  stuck(replica: ManagedReplica, silentMs: number): void;
  /** The event loop turns again. */
  recovered(replica: ManagedReplica): void;
  /** The replica must be ended at once. */
  unresponsive(replica: ManagedReplica, why: string): void;
  /** The replica holds more memory than is reserved for it. */
  overMemory(replica: ManagedReplica, why: string): void;
  /** Three health checks in a row failed. */
  unhealthy(replica: ManagedReplica, error: unknown): void;
}

/** The life of one replica, from its start to its end: its state, and the instance's records of it. */
export class ManagedReplica implements Reachable, Draining {
  readonly app: string;
  readonly deployment: string;
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly fingerprint: string;
  readonly load: ReplicaLoad;
  readonly tally: ReplicaTally;
  readonly control: ControlLink;
  /** Start time like `Date.now()`. */
  readonly createdAt: number = Date.now();
  /** Start time by `activeTime`. */
  readonly startedAt: number = activeTime.now();
  /** Bytes on and off the heap when they were last measured; undefined before. */
  memoryBytes: number | undefined = undefined;
  /** The last that user code said about its start; undefined if it said nothing. */
  progress: string | undefined = undefined;
  /** Reason for which the replica is ended, if it is known beforehand. */
  deathCause: DeathCause | undefined = undefined;
  /** Whether the event loop is blocked. */
  isStuck = false;
  /** Whether the replica was terminated and remains, because native code blocks it. */
  isZombie = false;
  /** Whether the replica serves only until another one has taken its place. */
  isUnfit = false;
  methods: readonly string[] = [];
  /** The last config sent to the replica. */
  userConfig: unknown;
  /** Whether user code has the hook `recordAutoscalingStats`. */
  hasStats = false;
  /** Whether user code has the hook `checkHealth`. */
  hasHealthCheck = false;
  readonly #host: ReplicaHost;
  readonly #owner: ReplicaOwner;
  readonly #membership: Membership;
  readonly #gone = Promise.withResolvers<void>();
  #state: ReplicaState = 'STARTING';
  #rank: number;
  #failure: { readonly phase: StartPhase | undefined; readonly error: unknown } | undefined = undefined;
  #isExpected = false;
  #hasRun = false;

  constructor(
    host: ReplicaHost,
    place: ReplicaPlace,
    spec: HostedDeployment,
    registry: EndpointRegistry,
    owner: ReplicaOwner,
  ) {
    this.#host = host;
    this.#owner = owner;
    this.app = place.app;
    this.deployment = spec.name;
    this.replicaId = place.replicaId;
    this.instanceId = place.instanceId;
    this.#rank = place.rank;
    this.version = spec.version;
    this.fingerprint = spec.fingerprint;
    this.userConfig = spec.options.userConfig;
    this.load = host.load;
    this.tally = host.tally;
    this.control = new ControlLink(place.app, place.replicaId, (message) => host.post(message));
    const key = routeKey(place.app, spec.name);
    this.#membership = new Membership(registry, key, place, (message, ports) => host.post(message, ports));
    host.listen((message) => this.#receive(message));
    void host.exited.then((reason) => {
      this.#failure ??= { phase: undefined, error: reason };
      this.#ended();
    });
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** Rank of the replica, unique among the replicas of its deployment. */
  get rank(): number {
    return this.#rank;
  }

  /** Number of calls that hold a place; 0 once the replica is gone. */
  get ongoing(): number {
    return this.#isAlive ? this.load.ongoing : 0;
  }

  /** Whether the replica accepts calls. */
  get isRoutable(): boolean {
    return this.#state === 'RUNNING' && !this.isStuck;
  }

  /** Resolves when the replica is gone, or is known to be unable to end. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Time of `clock.now()` at which the event loop turned last (wraps with 32 bits). */
  get lastSeen(): number {
    return this.#host.lastSeen;
  }

  /** Bytes on and off the heap; 0 once the replica is gone. */
  async memory(): Promise<number> {
    const bytes = await this.#host.memory();
    if (bytes > 0) this.memoryBytes = bytes;
    return bytes;
  }

  /** Finds out where a blocked event loop stands. */
  loopStack(): Promise<LoopStack> {
    return this.#host.loopStack();
  }

  /** Changes to another rank that is free now. */
  take(rank: number): void {
    this.#rank = rank;
    this.#host.post({ type: 'rank', rank });
  }

  link({ name }: Caller): Link {
    return this.#host.link(this, name);
  }

  /** Rejects with the error of the hook `reconfigure`, or after `timeoutMs`. */
  reconfigure(userConfig: unknown, timeoutMs: number): Promise<void> {
    this.userConfig = userConfig;
    return this.control.reconfigure(userConfig, timeoutMs);
  }

  /** Sets the period at which the event loop signals that it turns, in ms. */
  tickEvery(tickMs: number): void {
    this.#host.post({ type: 'tick', tickMs });
  }

  openCalls(): Promise<OpenCalls> {
    return this.control.openCalls();
  }

  callsOver(): Promise<void> {
    return this.load.idle();
  }

  /** Accepts no more calls, finishes the running ones, runs the destructor, and ends. */
  async drain(limits: DrainLimits): Promise<void> {
    if (this.#state === 'STOPPING' || this.#state === 'STOPPED') return this.gone;
    const wasRunning = this.#state === 'RUNNING';
    const since = activeTime.now();
    this.#state = 'STOPPING';
    this.#isExpected = true;
    this.load.setState(REPLICA_STATE.draining);
    if (wasRunning) {
      this.#host.post({ type: 'drain' });
      await callsEnded(this, limits);
      // A destructor that fails or hangs must not keep the replica alive.
      if (this.#isAlive)
        await this.control.dispose(endLimit(limits, since, DISPOSE_GRACE_MS)).catch(() => {});
      this.#membership.disconnect(this.#died('the replica was stopped before the call ended'));
    }
    const limit = (most: number): number => endLimit(limits, since, most);
    // Native work may go on beyond the limit.
    await within(limit(RUN_DRY_MS) + limit(TERMINATE_TIMEOUT_MS), this.#end(limit));
  }

  /** Ends the replica without waiting for its calls, which fail with `error`. */
  async destroy(error: ServeError): Promise<void> {
    if (this.#state === 'STOPPED') return;
    this.#state = 'STOPPING';
    this.#failure ??= { phase: undefined, error };
    this.load.setState(REPLICA_STATE.dead);
    this.#membership.disconnect(error);
    await this.#end((most) => most);
  }

  #receive(message: ToHost): void {
    if (this.#state === 'STOPPED') return;
    switch (message.type) {
      case 'ready':
        this.#ready(message);
        return;
      case 'failed':
        // A start that the host ended fails at whatever it waited for; the host's reason stands.
        if (this.#state === 'STARTING' || this.#failure === undefined)
          this.#failure = { phase: message.phase, error: unpack(message.error) };
        void this.#end((most) => most);
        return;
      case 'begun':
        this.control.begun(message.id);
        return;
      case 'answer':
        this.control.answered(message);
        return;
      case 'exiting':
        this.#failure ??= { phase: undefined, error: unpack(message.error) };
        return;
      case 'childExited':
        this.#childExited(new ChildExitError(message.exit));
        return;
      case 'child':
      case 'childStack':
        return;
      case 'lost':
        this.#membership.directory.lost(message.replicaId, message.calls);
        return;
      case 'subscribe':
        this.#membership.directory.subscribe(message.key);
        return;
      case 'replaced':
        this.#membership.directory.replaced(message.replicaId);
        return;
      case 'progress':
        if (this.#state !== 'STARTING') return;
        this.progress = message.message;
        this.#owner.reported(this, message);
        return;
      default:
        this.#owner.reported(this, message);
    }
  }

  /** The calls fail now: the end of the thread, which follows, would take some ms longer. */
  #childExited(error: ChildExitError): void {
    this.#failure ??= { phase: undefined, error };
    if (!this.#hasRun) return;
    this.load.setState(REPLICA_STATE.dead);
    this.#membership.disconnect(this.#died(deathReason(error), error));
  }

  #ready({ methods, hasStats, hasHealthCheck }: Extract<ToHost, { type: 'ready' }>): void {
    if (this.#state !== 'STARTING') return;
    this.methods = methods;
    this.hasStats = hasStats;
    this.hasHealthCheck = hasHealthCheck;
    this.#hasRun = true;
    this.#state = 'RUNNING';
    this.load.setState(REPLICA_STATE.ready);
    this.#membership.connect(this);
    this.#owner.ready(this);
  }

  get #isAlive(): boolean {
    return this.#state !== 'STOPPED';
  }

  /** @param limit resolves after a wait, given its maximum in ms */
  async #end(limit: (most: number) => number): Promise<void> {
    if (!this.isStuck && this.#isAlive) await endInOrder(this.control, this.gone, limit);
    if (!this.#isAlive) return;
    this.#host.destroy();
    await within(TERMINATE_TIMEOUT_MS, this.gone);
    if (!this.#isAlive) return;
    this.isZombie = true;
    this.#ended();
  }

  #ended(): void {
    if (this.#state === 'STOPPED') return;
    this.#state = 'STOPPED';
    this.load.setState(REPLICA_STATE.dead);
    const { phase, error } = this.#failure ?? { phase: undefined, error: undefined };
    const died = this.#died(deathReason(error), error);
    this.#membership.disconnect(error instanceof ServeError ? error : died);
    this.#membership.close();
    this.control.destroy(died);
    this.#gone.resolve();
    const failedIn = this.#hasRun ? undefined : (phase ?? 'start');
    const { lost } = this.#membership;
    this.#owner.exited(this, { isExpected: this.#isExpected, phase: failedIn, error, lost });
  }

  #died(why: string, cause?: unknown): ServeError {
    const { app, deployment, replicaId } = this;
    return new ServeError('SERVE_REPLICA_DIED', `replica ${replicaId}: ${why}`, {
      app,
      deployment,
      replica: replicaId,
      ...(cause === undefined ? {} : { cause }),
    });
  }
}
