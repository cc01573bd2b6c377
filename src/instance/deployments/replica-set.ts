import { freeRank, renumber } from '../../controller/ranks.ts';
import type { ObservedReplica } from '../../controller/reconcile.ts';
import type { ReplicaStatus } from '../../controller/status.ts';
import type { HostedDeployment } from '../../deployment/app-spec.ts';
import { demandOf } from '../../deployment/options/resources.ts';
import { ServeError } from '../../errors.ts';
import { type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { DrainLimits } from '../../isolation/drain.ts';
import { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { ReplicaExit } from '../../isolation/replica-exit.ts';
import { ReplicaMonitor } from '../../isolation/replica-monitor.ts';
import type { ThreadPool } from '../../isolation/thread/thread.ts';
import { createThreadPool } from '../../isolation/thread/thread-pool.ts';
import { describeHolding } from '../../load/holding.ts';
import { addTallies, NO_CALLS, type Tally } from '../../load/replica-tally.ts';
import type { ToHost } from '../../replica/control.ts';
import { unpack } from '../../values/pack.ts';
import type { Environment } from '../environment.ts';
import { randomId } from '../ids.ts';

/** What happens to the replicas of a set without being asked for. */
export interface ReplicaSetEvents {
  /** A replica came up. */
  ready(replica: ManagedReplica): void;
  /** A replica that had come up died, or its health checks failed. */
  crashed(replica: ManagedReplica, how: string, error: unknown): void;
  /** A replica is gone, however it ended. */
  ended(replica: ManagedReplica): void;
  /** A replica never came up. */
  startFailed(replica: ManagedReplica, phase: string, error: unknown): void;
  /** Something should be set otherwise; every replica says so. */
  advised(message: string): void;
  /** Something changed: time to look whether all is as it should be. */
  changed(): void;
}

/** The worker threads of one deployment: starts, watches and stops them. It decides nothing. */
export class ReplicaSet {
  readonly #app: string;
  readonly #deployment: string;
  readonly #key: RouteKey;
  readonly #environment: Environment;
  readonly #events: ReplicaSetEvents;
  readonly #pool: ThreadPool;
  readonly #replicas = new Map<ManagedReplica, ReplicaMonitor>();
  #zombies = 0;
  #goneTally = NO_CALLS;
  #isClosing = false;

  constructor(app: string, deployment: string, environment: Environment, events: ReplicaSetEvents) {
    this.#app = app;
    this.#deployment = deployment;
    this.#key = routeKey(app, deployment);
    this.#environment = environment;
    this.#events = events;
    this.#pool = createThreadPool(environment.workerEntry);
  }

  /** Threads that were ended and are still there, blocked in native code. They never come back. */
  get zombies(): number {
    return this.#zombies;
  }

  [Symbol.iterator](): IterableIterator<ManagedReplica> {
    return this.#replicas.keys();
  }

  /** Whether one takes calls. */
  get isRoutable(): boolean {
    return this.#isAny(({ isRoutable }) => isRoutable);
  }

  /** Whether one runs, though it may be stuck in a call. */
  get isRunning(): boolean {
    return this.#isAny(({ state }) => state === 'RUNNING');
  }

  /** Whether one takes calls that is of another version. */
  isOtherRoutable(version: string): boolean {
    return this.#isAny(({ isRoutable, fingerprint }) => isRoutable && fingerprint !== version);
  }

  /** Whether one takes calls, or is about to. */
  get mayServe(): boolean {
    return this.#isAny(({ isRoutable, state }) => isRoutable || state === 'STARTING');
  }

  /** Whether one has been told to stop and is still there. */
  get isStopping(): boolean {
    return this.#isAny(({ state }) => state === 'STOPPING');
  }

  /** Those of a version that run and may stay. */
  running(version: string): ManagedReplica[] {
    return [...this].filter(
      ({ isRoutable, isUnfit, fingerprint }) => isRoutable && !isUnfit && fingerprint === version,
    );
  }

  /** Those that have not been told to stop: all, those of other versions, and those of this one that run. */
  census(version: string): { live: number; old: number; running: number } {
    const observed = this.observe();
    const current = observed.filter(({ fingerprint }) => fingerprint === version);
    const running = current.filter(({ isRunning }) => isRunning).length;
    return { live: observed.length, old: observed.length - current.length, running };
  }

  /** Number of replicas by state. */
  states(): Record<string, number> {
    const states: Record<string, number> = {};
    for (const { state } of this) states[state] = (states[state] ?? 0) + 1;
    return states;
  }

  /** How the calls of all replicas went that there ever were. */
  get tally(): Tally {
    return [...this].reduce((sum, { tally }) => addTallies(sum, tally.read()), this.#goneTally);
  }

  /** Whether it is taken how long calls take. */
  setObserved(isObserved: boolean): void {
    for (const { tally } of this) tally.isObserved = isObserved;
  }

  /** Replicas that have not been told to stop. */
  observe(): ObservedReplica[] {
    return [...this]
      .filter(({ state }) => state === 'STARTING' || state === 'RUNNING')
      .map(({ replicaId, fingerprint, isUnfit, isRoutable, startedAt, load }) => ({
        id: replicaId,
        fingerprint: isUnfit ? 'unfit' : fingerprint,
        isRunning: isRoutable,
        startedAt,
        ongoing: load.ongoing,
      }));
  }

  report(): ReplicaStatus[] {
    return [...this].map(({ replicaId, state, instanceId, version, rank, load, isStuck }) => ({
      id: replicaId,
      state: isStuck ? 'STUCK' : state,
      instance: instanceId,
      version,
      rank,
      ongoing: load.ongoing,
      utilization: load.utilization,
    }));
  }

  /** How its calls are scheduled, if they hold the loops of their replicas. */
  get scheduling(): string | undefined {
    const running = [...this].filter(({ state, load }) => state === 'RUNNING' && load.meanHoldingMs > 0);
    const mean = (of: (replica: ManagedReplica) => number): number =>
      running.reduce((sum, replica) => sum + of(replica), 0) / Math.max(1, running.length);
    return describeHolding(this.#deployment, {
      meanHoldingMs: mean(({ load }) => load.meanHoldingMs),
      utilization: mean(({ load }) => load.utilization),
    });
  }

  find(replicaId: string): ManagedReplica | undefined {
    for (const replica of this) if (replica.replicaId === replicaId) return replica;
    return undefined;
  }

  tick(at: number): void {
    for (const watch of this.#replicas.values()) watch.tick(at);
  }

  /** Answers why not if the replica fits nowhere. */
  start(spec: HostedDeployment): string | undefined {
    const { instanceId, registry, resources } = this.#environment;
    const load = registry.load(this.#key);
    if (load === undefined) return undefined;
    const { options } = spec;
    const grant = resources.reserve(this.#key, demandOf(options.resources), options.maxReplicasPerInstance);
    if (typeof grant === 'string') return grant;
    const place = {
      app: this.#app,
      instanceId,
      replicaId: `${this.#deployment}#${randomId(6)}`,
      rank: freeRank(this),
      callerIndex: this.#environment.nextCallerIndex(),
      isTracked: this.#environment.dev !== undefined,
      env: grant.env,
      gpus: grant.gpus,
    };
    const replica = new ManagedReplica(place, spec, this.#pool, load.shared, registry, {
      ready: (ready) => {
        this.#announce(ready, 'RUNNING');
        this.#events.ready(ready);
        this.#events.changed();
      },
      exited: (gone, exit) => {
        // A thread that cannot be ended goes on using what it has.
        if (!gone.isZombie) resources.release(grant);
        this.#onExited(gone, exit);
      },
      message: (from, message) => this.#onMessage(from, message),
    });
    this.#replicas.set(replica, this.#watch(replica, spec));
    this.#announce(replica, 'STARTING');
    return undefined;
  }

  /** Other limits for the replicas that stay. */
  configure({ fingerprint, options }: HostedDeployment): void {
    for (const [replica, watch] of this.#replicas) {
      if (replica.fingerprint !== fingerprint) continue;
      replica.load.limit = options.maxOngoingRequests;
      watch.configure(options);
    }
  }

  stop(replicaId: string, limits: DrainLimits): void {
    const replica = this.find(replicaId);
    if (replica === undefined) return;
    this.#announce(replica, 'STOPPING');
    void replica.drain(limits);
  }

  /** Ends a replica at once; false if it is none of these. */
  kill(replica: ManagedReplica, why: string): boolean {
    if (!this.#replicas.has(replica)) return false;
    void replica.kill(this.#died(replica, why));
    return true;
  }

  /** Resolves when no replica of another version is left of those that were told to stop. */
  async othersGone(version: string): Promise<void> {
    const others = [...this].filter(
      ({ state, fingerprint }) => state === 'STOPPING' && fingerprint !== version,
    );
    await Promise.all(others.map(({ gone }) => gone));
  }

  /** Those that stay get the ranks 0…n−1, as far as none that stops has them still. */
  renumber(): void {
    const replicas = [...this];
    const stopping = replicas.filter(({ state }) => state === 'STOPPING');
    const moves = renumber(
      replicas.filter((replica) => !stopping.includes(replica)),
      stopping,
    );
    for (const [replica, rank] of moves) {
      this.#environment.userMetrics.renumber(this.#app, this.#deployment, replica.rank, rank);
      replica.take(rank);
    }
  }

  /** Stops all replicas and waits for it. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this].map((replica) => replica.drain({ graceMs: timeoutMs })));
    await this.#pool.close();
    this.#environment.userMetrics.ended(this.#app, this.#deployment);
  }

  #isAny(fits: (replica: ManagedReplica) => boolean): boolean {
    return [...this].some(fits);
  }

  #watch(replica: ManagedReplica, { options }: HostedDeployment): ReplicaMonitor {
    return new ReplicaMonitor(replica, options, {
      stuck: (silentMs) =>
        this.#announce(replica, 'STUCK', `its event loop has been blocked for ${silentMs} ms`),
      recovered: () => {
        this.#environment.registry.load(this.#key)?.announceFreed();
        this.#announce(replica, 'RUNNING', 'its event loop turns again');
      },
      unresponsive: (why) => this.kill(replica, why),
      overMemory: (why) => {
        if (replica.state !== 'RUNNING') return;
        this.#announce(replica, 'RECYCLING', why);
        this.#events.crashed(replica, 'is recycled', this.#died(replica, why));
        void replica.drain({ graceMs: options.gracefulShutdownTimeoutMs, promised: options });
      },
      unhealthy: (error) => {
        this.#events.crashed(replica, 'is unhealthy', error);
        void replica.drain({ graceMs: options.gracefulShutdownTimeoutMs });
      },
    });
  }

  #onExited(replica: ManagedReplica, { isExpected, phase, error }: ReplicaExit): void {
    this.#replicas.get(replica)?.close();
    this.#replicas.delete(replica);
    this.#goneTally = addTallies(this.#goneTally, replica.tally.read());
    this.#environment.userMetrics.forget(this.#app, this.#deployment, replica);
    if (replica.isZombie) this.#zombies++;
    this.#announce(replica, 'STOPPED', undefined, isExpected ? undefined : error);
    if (this.#isClosing) return;
    this.#events.ended(replica);
    if (!isExpected && phase === undefined) this.#events.crashed(replica, 'died', error);
    if (!isExpected && phase !== undefined) this.#events.startFailed(replica, phase, error);
    this.#events.changed();
  }

  #onMessage(from: ManagedReplica, message: ToHost): void {
    if (message.type === 'stats') {
      const { book, userMetrics } = this.#environment;
      for (const counted of message.calls) book.merge(counted);
      for (const counted of message.batches) book.mergeBatches(counted);
      userMetrics.merge(message.metrics, this.#app, this.#deployment, from);
    } else if (message.type === 'log') {
      const { level, message: text, requestId, route = '' } = message.line;
      const about = { app: this.#app, deployment: this.#deployment, replica: from.replicaId };
      this.#environment.log[level](requestId === undefined ? about : { ...about, requestId, route }, text);
    } else if (message.type === 'advice') {
      this.#events.advised(message.message);
    } else if (message.type === 'loaded') {
      this.#environment.dev?.loaded(this.#app, message.url);
    } else if (message.type === 'unobserved') {
      const { type: _, error, ...about } = message;
      this.#environment.reportUnobserved({ ...about, error: unpack(error) });
    }
  }

  #announce(replica: ManagedReplica, state: string, reason?: string, error?: unknown): void {
    this.#environment.events.emit('replica', {
      app: this.#app,
      deployment: this.#deployment,
      replica: replica.replicaId,
      state,
      ...(reason === undefined ? {} : { reason }),
      ...(error === undefined ? {} : { error }),
    });
  }

  #died(replica: ManagedReplica, why: string): ServeError {
    return new ServeError('SERVE_REPLICA_DIED', `replica ${replica.replicaId}: ${why}`, {
      app: this.#app,
      deployment: this.#deployment,
      replica: replica.replicaId,
    });
  }
}
