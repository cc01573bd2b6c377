import { reconcile } from '../../controller/reconcile.ts';
import type { VersionRecord } from '../../controller/roll-out.ts';
import { type DeploymentReport, type DeploymentStatus, deploymentStatus } from '../../controller/status.ts';
import type { HostedDeployment } from '../../deployment/app-spec.ts';
import { repeatAdvice } from '../../deployment/idempotent.ts';
import type { ServeError } from '../../errors.ts';
import { type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { IngressDescription } from '../../openapi/openapi-types.ts';
import { activeTime } from '../../time/active-time.ts';
import type { Clock } from '../../time/control-clock.ts';
import { messageOf } from '../../values/describe-value.ts';
import type { Environment } from '../environment.ts';
import { CrashRefusal, degradation } from './crash-refusal.ts';
import { DeploymentReporter } from './deployment-reporter.ts';
import { EjectionMonitor } from './ejection-monitor.ts';
import { PendingChange } from './pending-change.ts';
import { queueEmptied } from './queue-emptied.ts';
import { isConfigured, Reconfiguration } from './reconfiguration.ts';
import { ReplicaSet } from './replica-set.ts';
import { ReplicaTarget } from './replica-target.ts';
import { Rollout } from './rollout.ts';
import { routeConfig } from './route-config.ts';
import type { RunningDeployment } from './running-deployment.ts';
import { StartHistory } from './start-history.ts';
import type { UpdateBarrier } from './update-barrier.ts';

/** Threads that cannot be ended, until no more are started: each keeps its memory and a core busy. */
const MAX_ZOMBIES = 2;

/**
 * A deployment in worker threads. It looks at its replicas, lets the controller decide, and does what that says.
 */
export class ReplicatedDeployment implements RunningDeployment {
  readonly #key: RouteKey;
  readonly #environment: Environment;
  readonly #reporter: DeploymentReporter;
  readonly #replicas: ReplicaSet;
  readonly #ejections: EjectionMonitor;
  #spec: HostedDeployment;
  readonly #count: ReplicaTarget;
  /** It failed because no replica fits anywhere, and comes back once one does. */
  #isUnplaceable = false;
  #group: UpdateBarrier | undefined = undefined;
  readonly #record = new StartHistory();
  #failure: ServeError | undefined = undefined;
  #rollout: Rollout | undefined = undefined;
  #change: PendingChange | undefined = undefined;
  #restarts = 0;
  readonly #reconfiguration = new Reconfiguration({
    refused: (cause) => {
      const failure = this.#reporter.failed(`reconfigure failed: ${messageOf(cause)}`, cause);
      this.#fail(failure);
      return failure;
    },
    settled: () => this.tick(this.#clock.now()),
  });
  readonly #refusal: CrashRefusal;
  #isStopping = false;

  constructor(app: string, spec: HostedDeployment, environment: Environment) {
    this.#spec = spec;
    this.#environment = environment;
    this.#reporter = new DeploymentReporter(app, spec.name, environment);
    this.#key = routeKey(app, spec.name);
    this.#refusal = new CrashRefusal(this.#key, this.#reporter, environment, () => this.#configureRoutes());
    this.#replicas = new ReplicaSet(app, spec.name, environment, {
      ready: (replica) => {
        if (replica.fingerprint !== this.#spec.fingerprint) return;
        this.#record.hasRun = true;
        this.#advise(replica);
        // It started before the config changed.
        if (!isConfigured(replica, this.#spec.options.userConfig)) this.#reconfigure().catch(() => {});
      },
      ended: (replica) => this.#rollout?.ended(replica),
      crashed: (replica, how, error) => this.#crashed(replica, how, error),
      startFailed: (replica, phase, error) => this.#startFailed(replica, phase, error),
      advised: (message) => this.#reporter.advise([message]),
      changed: () => this.tick(this.#clock.now()),
    });
    this.#ejections = new EjectionMonitor(app, spec.name, environment);
    this.#configureRoutes();
    this.#count = new ReplicaTarget(this.#key, spec.options, environment);
  }

  get spec(): HostedDeployment {
    return this.#spec;
  }

  get status(): DeploymentStatus {
    return this.#reporter.state;
  }

  get isRoutable(): boolean {
    return this.#replicas.isRoutable;
  }

  get isReady(): boolean {
    return this.#replicas.isRunning || (this.#count.target === 0 && this.#failure === undefined);
  }

  /** Replicas that there should be. */
  get target(): number {
    return this.#count.target;
  }

  get isDegraded(): boolean {
    return this.#replicas.zombies >= MAX_ZOMBIES;
  }

  start(group: UpdateBarrier): Promise<void> {
    this.#group = group;
    return this.#begin(false);
  }

  /** Goes over to another spec: in place as far as the version is the same, else replica by replica. */
  update(spec: HostedDeployment, group: UpdateBarrier, note: string): Promise<void> {
    const previous = this.#spec;
    this.#spec = spec;
    this.#group = group;
    this.#reporter.note(note);
    this.#configureRoutes();
    this.#count.follow(spec.options);
    this.#replicas.configure(spec);
    const isOther = spec.fingerprint !== previous.fingerprint;
    if (isOther || this.#failure !== undefined) {
      this.#failure = undefined;
      this.#isUnplaceable = false;
      this.#record.reset(this.#current().length > 0);
    }
    if (isOther) this.#rollout = new Rollout(spec.fingerprint, this.#replicas);
    this.#advise(this.#current()[0]);
    const reconfigured = this.#reconfigure();
    return this.#begin(true, reconfigured);
  }

  tick(at: number): void {
    if (this.#isStopping) return;
    this.#replicas.tick(at);
    this.#ejections.look(this.#replicas);
    if (this.#isUnplaceable) this.#tryPlacing();
    const fault = this.#stepRollout(at);
    if (fault !== undefined && this.#faulted(fault)) return;
    this.#reconcile(at);
    this.#judge(at);
  }

  report(): Omit<DeploymentReport, 'scaling'> {
    return {
      status: this.#reporter.state,
      message: this.#reporter.message,
      targetReplicas: this.#count.target,
      replicaStates: this.#replicas.states(),
      replicas: this.#ejections.describe(this.#replicas.report()),
      queued: this.#environment.registry.load(this.#key)?.queued ?? 0,
      restarts: this.#restarts,
      scheduling: this.#replicas.scheduling,
      pending: this.#count.pending,
    };
  }

  /** Goes for another number of replicas. */
  scaleTo(target: number): void {
    this.#count.aimAt(target);
    this.tick(this.#clock.now());
  }

  /** The target capacity changed. */
  applyCapacity(): void {
    this.#count.follow(this.#spec.options);
    this.tick(this.#clock.now());
  }

  async describe(): Promise<IngressDescription | undefined> {
    return [...this.#replicas].find(({ isRoutable }) => isRoutable)?.describe();
  }

  observe(): VersionRecord {
    this.#replicas.setObserved(true);
    return { ...this.#replicas.tally, deaths: this.#restarts };
  }

  ignore(): void {
    if (this.#rollout === undefined) this.#replicas.setObserved(false);
  }

  threads(): Iterable<ManagedReplica> {
    return this.#replicas;
  }

  kill(replica: ManagedReplica, why: string): boolean {
    return this.#replicas.kill(replica, why);
  }

  predecessorsGone(): Promise<void> {
    return this.#replicas.othersGone(this.#spec.fingerprint);
  }

  async stop(timeoutMs: number, error: ServeError): Promise<void> {
    this.#isStopping = true;
    this.#change?.giveUp(error);
    this.#count.forget();
    const deadline = activeTime.now() + timeoutMs;
    const { registry } = this.#environment;
    await queueEmptied(registry.load(this.#key), () => this.#replicas.mayServe, deadline);
    registry.fail(this.#key, error);
    await this.#replicas.close(Math.max(0, deadline - activeTime.now()));
    registry.remove(this.#key, error);
  }

  get #clock(): Clock {
    return this.#environment.clock;
  }

  #configureRoutes(): void {
    const { options } = this.#spec;
    const { registry, tenants } = this.#environment;
    this.#refusal.forget();
    registry.configure(this.#key, routeConfig(options, tenants), options.maxQueuedRequests);
  }

  /** @param reconfigured the running replicas have the new config */
  #begin(isUpdate: boolean, reconfigured: Promise<void> = Promise.resolve()): Promise<void> {
    this.#change?.giveUp(this.#reporter.unavailable('deployed again meanwhile'));
    const change = new PendingChange(isUpdate);
    this.#change = change;
    this.tick(this.#clock.now());
    return Promise.all([change.over, reconfigured]).then(() => {});
  }

  /** Tells the running replicas the config that the spec has now. One that is taken away cannot be told. */
  #reconfigure(): Promise<void> {
    const { userConfig, startTimeoutMs } = this.#spec.options;
    if (userConfig === undefined) {
      for (const replica of this.#current()) if (replica.userConfig !== undefined) replica.isUnfit = true;
    }
    return this.#reconfiguration.apply(() => this.#current(), userConfig, startTimeoutMs);
  }

  #advise(replica: ManagedReplica | undefined): void {
    if (replica !== undefined) this.#reporter.advise(repeatAdvice(this.#spec.options, replica.methods));
  }

  /** Those of the current version that run. */
  #current(): ManagedReplica[] {
    return this.#replicas.running(this.#spec.fingerprint);
  }

  #reconcile(at: number): void {
    const { options, fingerprint } = this.#spec;
    const { rollout, restart, gracefulShutdownTimeoutMs: graceMs } = options;
    const isHeld = this.#failure !== undefined || this.isDegraded || this.#record.isWaiting(restart, at);
    const isOnTrial = this.#rollout?.isOnTrial ?? false;
    const isCramped = this.#count.pending !== undefined && !this.#replicas.isStopping;
    const desired = { fingerprint, target: this.#count.target, ...rollout, isHeld, isOnTrial, isCramped };
    const unplaced: string[] = [];
    for (const action of reconcile(desired, this.#replicas.observe())) {
      if (action.type === 'start') this.#start(unplaced);
      // Its calls were accepted: they may take as long as their deadlines say.
      else this.#replicas.stop(action.id, { graceMs, promised: options });
    }
    if (!isHeld) this.#judgePlacing(at, unplaced);
  }

  /** @param unplaced gets the reason if the replica fits nowhere; the others do not either then */
  #start(unplaced: string[]): void {
    const why = unplaced[0] ?? this.#replicas.start(this.#spec);
    if (why !== undefined) unplaced.push(why);
  }

  #judgePlacing(at: number, unplaced: readonly string[]): void {
    this.#count.observePending(at, unplaced.length, unplaced[0] ?? '');
    const reason = this.#count.overdue(at);
    const { live, old } = this.#replicas.census(this.#spec.fingerprint);
    if (reason === undefined || live > old || this.#replicas.isStopping) return;
    this.#isUnplaceable = true;
    this.#fail(this.#reporter.failed(`no replica could be placed: ${reason}`, undefined));
  }

  /** What could not be placed may be placed now: then it is as if it had not failed. */
  #tryPlacing(): void {
    if (!this.#count.fits()) return;
    this.#isUnplaceable = false;
    this.#failure = undefined;
    this.#reporter.message = '';
    this.#configureRoutes();
  }

  #crashed(replica: ManagedReplica, how: string, error: unknown): void {
    this.#restarts++;
    if (!how.startsWith('failed in')) this.#rollout?.died(replica);
    this.#record.crashed(this.#clock.now());
    this.#reporter.message = `replica ${replica.replicaId} ${how}: ${messageOf(error)}`;
    this.#reporter.crashed(replica.replicaId, how, error);
    if (this.isDegraded) this.#reportDegraded();
  }

  #reportDegraded(): void {
    this.#reporter.message = degradation(this.#replicas.zombies);
    this.#reporter.fault('degraded', this.#reporter.unavailable(this.#reporter.message));
  }

  #startFailed(replica: ManagedReplica, phase: string, error: unknown): void {
    this.#crashed(replica, `failed in ${phase}`, error);
    if (replica.fingerprint !== this.#spec.fingerprint || this.#record.hasRun) return;
    const { maxConstructorRetryCount, startTimeoutMs } = this.#spec.options;
    const isHopeless = this.#record.failed({
      error,
      phase,
      isOverdue: activeTime.now() - replica.startedAt >= startTimeoutMs,
      isUpdate: this.#replicas.isOtherRoutable(this.#spec.fingerprint),
      target: this.#count.target,
      maxConstructorRetryCount,
    });
    if (!isHopeless) return;
    this.#fail(this.#reporter.failed(`${phase} failed: ${messageOf(error)}`, error));
  }

  #fail(failure: ServeError): void {
    if (!this.#goesBack(failure)) this.#giveUp(failure);
  }

  /** The new version is no good: whether the app goes back to the one before. */
  #goesBack(failure: ServeError): boolean {
    return this.#spec.options.rollout.autoRollback && (this.#group?.failed(failure) ?? false);
  }

  /** The current version never ran and never will. */
  #giveUp(failure: ServeError): void {
    this.#change?.giveUp(failure);
    this.#change = undefined;
    this.#failure = failure;
    this.#reporter.message = failure.message;
    if (!this.isRoutable) this.#environment.registry.fail(this.#key, failure);
  }

  /** What the state of the replicas says about the deployment. */
  #judge(at: number): void {
    const { options } = this.#spec;
    const { target } = this.#count;
    const { running, old, live } = this.#replicas.census(this.#spec.fingerprint);
    if (!this.#reconfiguration.isRunning && this.#change?.judge(target, running, old) === true)
      this.#change = undefined;
    this.#count.observe(running, this.#replicas.isStopping);
    const isCrashing = this.#record.isOverBudget(options.restart, at) || this.isDegraded;
    if (this.#failure !== undefined) this.#refusal.forget();
    else if (target === 0 || this.isRoutable || !isCrashing) this.#refusal.end();
    else if (this.isDegraded) this.#refusal.begin(degradation(this.#replicas.zombies));
    else this.#refusal.beginTill(options.restart, this.#record.nextIn(options.restart, at));
    const status = deploymentStatus({
      target,
      running,
      live,
      old,
      hasRun: this.#record.hasRun,
      isFailed: this.#failure !== undefined,
      isCrashing,
      isChanging: this.#change !== undefined,
      scaling: this.#count.scaling,
    });
    this.#reporter.turn(status);
    if (status === 'HEALTHY') this.#replicas.renumber();
  }

  /** @returns what is wrong with the new version */
  #stepRollout(at: number): string | undefined {
    const rollout = this.#rollout;
    const group = this.#group;
    const { name, options } = this.#spec;
    const { target } = this.#count;
    const { running, old } = this.#replicas.census(this.#spec.fingerprint);
    if (rollout === undefined || group === undefined) {
      if (running >= Math.min(1, target) && !this.#reconfiguration.isRunning) group?.arrived(name);
      return undefined;
    }
    const { fault, isProved } = rollout.step({
      at,
      target,
      running,
      old,
      queued: this.#environment.registry.load(this.#key)?.queued ?? 0,
      observeMs: group.isWatched ? options.rollout.observeMs : 0,
      // What goes back does so at once.
      othersReady: group.isOpen || !group.isWatched,
    });
    if (fault === undefined && isProved) group.arrived(name);
    if (rollout.isDone) this.#rollout = undefined;
    return fault;
  }

  /** The new version runs, and is no good. @returns whether the app goes back */
  #faulted(fault: string): boolean {
    const failure = this.#reporter.failed(`the new version is no good: ${fault}`, new Error(fault));
    this.#reporter.fault('rollout', failure);
    if (this.#goesBack(failure)) return true;
    this.#rollout = undefined;
    this.#reporter.note(failure.message);
    return false;
  }
}
