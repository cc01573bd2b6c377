import { renumber } from '../../../controller/ranks.ts';
import type { HostedDeployment } from '../../../deployment/app-spec.ts';
import { repeatAdvice } from '../../../deployment/idempotent.ts';
import { ServeError } from '../../../errors.ts';
import { BlockedLoops } from '../../../isolation/blocked-loop.ts';
import type { DrainLimits } from '../../../isolation/drain.ts';
import type { ManagedReplica, ReplicaOwner } from '../../../isolation/managed-replica.ts';
import type { ReplicaExit } from '../../../isolation/replica-exit.ts';
import { ReplicaMonitor } from '../../../isolation/replica-monitor.ts';
import { addTallies, NO_CALLS, type Tally } from '../../../load/replica-tally.ts';
import type { ReplicaReport } from '../../../replica/control.ts';
import { activeTime } from '../../../time/active-time.ts';
import type { DeploymentReporter } from '../deployment-reporter.ts';
import type { ReplicaHistory } from './replica-history.ts';
import type { ReplicaReports } from './replica-reports.ts';
import type { ReplicaStarter } from './replica-starter.ts';

interface Member {
  readonly spec: HostedDeployment;
  readonly monitor: ReplicaMonitor;
}

/** The replicas of one deployment: starts, watches and stops them, and makes no decisions. */
export class ReplicaSet implements ReplicaOwner {
  readonly #app: string;
  readonly #deployment: string;
  readonly #starter: ReplicaStarter;
  readonly #reporter: DeploymentReporter;
  readonly #reports: ReplicaReports;
  readonly #history: ReplicaHistory;
  readonly #changed: () => void;
  readonly #members = new Map<ManagedReplica, Member>();
  readonly #blocked = new BlockedLoops();
  #goneTally = NO_CALLS;
  #isClosing = false;

  /** @param changed is called when a replica started or ended */
  constructor(
    app: string,
    deployment: string,
    starter: ReplicaStarter,
    reporter: DeploymentReporter,
    reports: ReplicaReports,
    history: ReplicaHistory,
    changed: () => void,
  ) {
    this.#app = app;
    this.#deployment = deployment;
    this.#starter = starter;
    this.#reporter = reporter;
    this.#reports = reports;
    this.#history = history;
    this.#changed = changed;
  }

  [Symbol.iterator](): IterableIterator<ManagedReplica> {
    return this.#members.keys();
  }

  /** Whether a replica takes calls. */
  get isRoutable(): boolean {
    return this.#isAny(({ isRoutable }) => isRoutable);
  }

  /** Whether a replica runs, even if it is stuck in a call. */
  get isRunning(): boolean {
    return this.#isAny(({ state }) => state === 'RUNNING');
  }

  /** Whether a replica of another version takes calls. */
  isOtherRoutable(version: string): boolean {
    return this.#isAny(({ isRoutable, fingerprint }) => isRoutable && fingerprint !== version);
  }

  /** Whether a replica takes calls, or is about to. */
  get mayServe(): boolean {
    return this.#isAny(({ isRoutable, state }) => isRoutable || state === 'STARTING');
  }

  /** Whether a replica was told to stop and remains. */
  get isStopping(): boolean {
    return this.#isAny(({ state }) => state === 'STOPPING');
  }

  /** Replicas of a version that run and may stay. */
  running(version: string): ManagedReplica[] {
    return [...this].filter(
      ({ isRoutable, isUnfit, fingerprint }) => isRoutable && !isUnfit && fingerprint === version,
    );
  }

  /** The outcomes of all calls to the deployment, including those on replicas that are gone. */
  get tally(): Tally {
    return [...this].reduce((sum, { tally }) => addTallies(sum, tally.read()), this.#goneTally);
  }

  /** Turns the sampling of call durations on or off. */
  setObserved(isObserved: boolean): void {
    for (const { tally } of this) tally.isObserved = isObserved;
  }

  tick(at: number): void {
    for (const { monitor } of this.#members.values()) monitor.tick(at);
  }

  /** @returns the reason if the replica fits nowhere */
  start(spec: HostedDeployment): string | undefined {
    const replica = this.#starter.start(spec, this, this);
    if (replica === undefined || typeof replica === 'string') return replica;
    this.#members.set(replica, { spec, monitor: new ReplicaMonitor(replica, spec.options, this) });
    this.#reporter.replica(replica.replicaId, 'STARTING');
    return undefined;
  }

  /** Sets the limits of the remaining replicas. */
  configure({ fingerprint, options }: HostedDeployment): void {
    for (const [replica, { monitor }] of this.#members) {
      if (replica.fingerprint !== fingerprint) continue;
      replica.load.limit = options.maxOngoingRequests;
      monitor.configure(options);
    }
  }

  closeOne(replicaId: string, limits: DrainLimits): void {
    const replica = this.#find(replicaId);
    if (replica === undefined) return;
    this.#reporter.replica(replicaId, 'STOPPING');
    void replica.drain(limits);
  }

  /** Ends a replica at once; false if it belongs to another deployment. */
  destroy(replicaId: string, why: string): boolean {
    const replica = this.#find(replicaId);
    if (replica === undefined) return false;
    replica.deathCause = 'memory';
    void replica.destroy(this.#died(replica, why));
    return true;
  }

  /** Resolves when the replicas of other versions that were told to stop are gone. */
  async othersGone(version: string): Promise<void> {
    const others = [...this].filter(
      ({ state, fingerprint }) => state === 'STOPPING' && fingerprint !== version,
    );
    await Promise.all(others.map(({ gone }) => gone));
  }

  /** Renumbers the remaining replicas 0…n−1, skipping ranks that stopping replicas still hold. */
  renumber(): void {
    const replicas = [...this];
    const stopping = replicas.filter(({ state }) => state === 'STOPPING');
    const moves = renumber(
      replicas.filter((replica) => !stopping.includes(replica)),
      stopping,
    );
    for (const [replica, rank] of moves) {
      this.#reports.renumbered(replica.rank, rank);
      replica.take(rank);
    }
  }

  /** Stops all replicas; resolves when they are gone, or only their native work remains. */
  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true;
    await Promise.all([...this].map((replica) => replica.drain({ graceMs: timeoutMs })));
    this.#reports.close();
  }

  ready(replica: ManagedReplica): void {
    const member = this.#members.get(replica);
    this.#reporter.started(replica.replicaId, activeTime.now() - replica.startedAt);
    this.#history.ready(replica);
    if (member !== undefined) this.#reporter.advise(repeatAdvice(member.spec.options, replica.methods));
    this.#changed();
  }

  exited(replica: ManagedReplica, { isExpected, phase, error, lost }: ReplicaExit): void {
    this.#starter.ended(replica);
    this.#members.get(replica)?.monitor.close();
    this.#members.delete(replica);
    this.#goneTally = addTallies(this.#goneTally, replica.tally.read());
    this.#reports.ended(replica);
    if (isExpected) this.#reporter.replica(replica.replicaId, 'STOPPED');
    else this.#reporter.died(replica.replicaId, error, lost);
    this.#history.ended(replica);
    if (this.#isClosing) return;
    if (!isExpected && phase === undefined) this.#history.crashed(replica, 'died', error, { lost });
    if (!isExpected && phase !== undefined) this.#history.startFailed(replica, phase, error);
    this.#changed();
  }

  reported(replica: ManagedReplica, report: ReplicaReport): void {
    this.#reports.take(replica, report);
  }

  stuck({ replicaId }: ManagedReplica, silentMs: number): void {
    this.#reporter.stuck(replicaId, silentMs);
  }

  recovered({ replicaId }: ManagedReplica): void {
    this.#starter.load?.announceFreed();
    this.#reporter.back(replicaId, 'its event loop turns again');
  }

  unresponsive(replica: ManagedReplica, why: string): void {
    if (replica.state === 'RUNNING') replica.deathCause = 'blocked';
    this.#blocked.destroy(replica, why);
  }

  overMemory(replica: ManagedReplica, why: string): void {
    const member = this.#members.get(replica);
    if (member === undefined || replica.state !== 'RUNNING') return;
    replica.deathCause = 'memory';
    this.#reporter.replica(replica.replicaId, 'RECYCLING', why);
    this.#history.crashed(replica, 'is recycled', this.#died(replica, why));
    const { options } = member.spec;
    void replica.drain({ graceMs: options.gracefulShutdownTimeoutMs, promised: options });
  }

  unhealthy(replica: ManagedReplica, error: unknown): void {
    const member = this.#members.get(replica);
    if (member === undefined) return;
    replica.deathCause = 'unhealthy';
    this.#history.crashed(replica, 'is unhealthy', error);
    void replica.drain({ graceMs: member.spec.options.gracefulShutdownTimeoutMs });
  }

  #find(replicaId: string): ManagedReplica | undefined {
    for (const replica of this) if (replica.replicaId === replicaId) return replica;
    return undefined;
  }

  #isAny(fits: (replica: ManagedReplica) => boolean): boolean {
    return [...this].some(fits);
  }

  #died({ replicaId }: ManagedReplica, why: string): ServeError {
    const about = { app: this.#app, deployment: this.#deployment, replica: replicaId };
    return new ServeError('SERVE_REPLICA_DIED', `replica ${replicaId}: ${why}`, about);
  }
}
