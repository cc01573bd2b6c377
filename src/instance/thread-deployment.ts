import { reconcile } from '../controller/reconcile.ts';
import type { VersionRecord } from '../controller/roll-out.ts';
import { type DeploymentReport, type DeploymentStatus, deploymentStatus } from '../controller/status.ts';
import type { DeploymentSpec } from '../deployment/app-spec.ts';
import { repeatAdvice } from '../deployment/idempotent.ts';
import type { ServeError } from '../errors.ts';
import { type RouteKey, routeKey } from '../handle/directory.ts';
import type { IngressDescription } from '../openapi/types.ts';
import { addTallies, NO_CALLS } from '../pool/replica-tally.ts';
import { now } from '../time/clock.ts';
import type { Clock } from '../time/control-clock.ts';
import { DeploymentVoice } from './deployment-voice.ts';
import type { Environment } from './environment.ts';
import { queueEmptied } from './queue-emptied.ts';
import { isConfigured, Reconfiguration } from './reconfiguration.ts';
import { ReplicaCount } from './replica-count.ts';
import { ReplicaSet } from './replica-set.ts';
import { Rollout } from './rollout.ts';
import { routeConfig } from './route-config.ts';
import type { RunningDeployment } from './running-deployment.ts';
import { StartRecord } from './start-record.ts';
import type { ThreadReplica } from './thread-replica.ts';
import type { UpdateGroup } from './update-group.ts';

/** Threads that cannot be ended, until no more are started: each keeps its memory and a core busy. */
const MAX_ZOMBIES = 2;

/** A change that somebody waits for. */
interface Change {
  /** Resolves when the deployment is what it should be, rejects when it cannot be. */
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
  /** An update is over when no old replica is left; a first deployment when one replica is there. */
  readonly isUpdate: boolean;
}

/**
 * A deployment in worker threads. It looks at its replicas, lets the controller decide, and does what that says.
 */
export class ThreadDeployment implements RunningDeployment {
  readonly #key: RouteKey;
  readonly #environment: Environment;
  readonly #voice: DeploymentVoice;
  readonly #replicas: ReplicaSet;
  #spec: DeploymentSpec;
  readonly #count: ReplicaCount;
  /** It failed because no replica fits anywhere, and comes back once one does. */
  #isUnplaceable = false;
  #group: UpdateGroup | undefined = undefined;
  readonly #record = new StartRecord();
  #failure: ServeError | undefined = undefined;
  #rollout: Rollout | undefined = undefined;
  #change: Change | undefined = undefined;
  #status: DeploymentStatus = 'UPDATING';
  #message = '';
  /** Outlives the change that it came with. */
  #note = '';
  #restarts = 0;
  /** What replicas counted that are gone. */
  #gone = NO_CALLS;
  readonly #reconfiguration = new Reconfiguration({
    refused: (cause) => {
      const failure = this.#voice.failed(`reconfigure failed: ${messageOf(cause)}`, cause);
      this.#fail(failure);
      return failure;
    },
    settled: () => this.tick(this.#clock.now()),
  });
  #isStopping = false;

  constructor(app: string, spec: DeploymentSpec, environment: Environment) {
    this.#spec = spec;
    this.#environment = environment;
    this.#voice = new DeploymentVoice(app, spec.name, environment);
    this.#key = routeKey(app, spec.name);
    this.#replicas = new ReplicaSet(app, spec.name, environment, {
      ready: (replica) => {
        if (replica.fingerprint !== this.#spec.fingerprint) return;
        this.#record.hasRun = true;
        this.#advise(replica);
        // It started before the config changed.
        if (!isConfigured(replica, this.#spec.options.userConfig)) this.#reconfigure().catch(() => {});
      },
      ended: (replica) => {
        this.#gone = addTallies(this.#gone, replica.tally.read());
        this.#rollout?.ended(replica);
      },
      crashed: (replica, how, error) => this.#crashed(replica, how, error),
      startFailed: (replica, phase, error) => this.#startFailed(replica, phase, error),
      changed: () => this.tick(this.#clock.now()),
    });
    this.#configureRoutes();
    this.#count = new ReplicaCount(this.#key, spec.options, environment);
  }

  get spec(): DeploymentSpec {
    return this.#spec;
  }

  get status(): DeploymentStatus {
    return this.#status;
  }

  get isRoutable(): boolean {
    for (const { isRoutable } of this.#replicas) if (isRoutable) return true;
    return false;
  }

  get isReady(): boolean {
    return this.isRoutable || (this.#count.target === 0 && this.#failure === undefined);
  }

  /** Replicas that there should be. */
  get target(): number {
    return this.#count.target;
  }

  get isDegraded(): boolean {
    return this.#replicas.zombies >= MAX_ZOMBIES;
  }

  start(group: UpdateGroup): Promise<void> {
    this.#group = group;
    return this.#begin(false);
  }

  /** Goes over to another spec: in place as far as the version is the same, else replica by replica. */
  update(spec: DeploymentSpec, group: UpdateGroup, note: string): Promise<void> {
    const previous = this.#spec;
    this.#spec = spec;
    this.#group = group;
    this.#note = note;
    this.#message = note;
    this.#configureRoutes();
    this.#count.follow(spec.options);
    this.#replicas.configure(spec);
    const isOther = spec.fingerprint !== previous.fingerprint;
    if (isOther || this.#failure !== undefined) {
      this.#failure = undefined;
      this.#isUnplaceable = false;
      this.#record.reset(this.#running().length > 0);
    }
    if (isOther) this.#rollout = new Rollout(spec.fingerprint, this.#replicas);
    this.#advise(this.#running()[0]);
    const reconfigured = this.#reconfigure();
    return this.#begin(true, reconfigured);
  }

  tick(at: number): void {
    if (this.#isStopping) return;
    this.#replicas.tick(at);
    if (this.#isUnplaceable) this.#tryPlacing();
    const fault = this.#stepRollout(at);
    if (fault !== undefined && this.#faulted(fault)) return;
    this.#reconcile(at);
    this.#judge(at);
  }

  report(): Omit<DeploymentReport, 'scaling'> {
    const replicaStates: Record<string, number> = {};
    for (const { state } of this.#replicas) replicaStates[state] = (replicaStates[state] ?? 0) + 1;
    return {
      status: this.#status,
      message: this.#message,
      targetReplicas: this.#count.target,
      replicaStates,
      replicas: this.#replicas.report(),
      queued: this.#environment.switchboard.load(this.#key)?.queued ?? 0,
      restarts: this.#restarts,
      pending: this.#count.pending,
    };
  }

  /** Goes for another number of replicas. */
  scaleTo(target: number): void {
    this.#count.aimAt(target);
    this.tick(this.#clock.now());
  }

  /** The target capacity changed. */
  recount(): void {
    this.#count.follow(this.#spec.options);
    this.tick(this.#clock.now());
  }

  async describe(): Promise<IngressDescription | undefined> {
    return [...this.#replicas].find(({ isRoutable }) => isRoutable)?.describe();
  }

  observe(): VersionRecord {
    let tally = this.#gone;
    for (const replica of this.#replicas) {
      replica.tally.isObserved = true;
      tally = addTallies(tally, replica.tally.read());
    }
    return { ...tally, deaths: this.#restarts };
  }

  ignore(): void {
    if (this.#rollout !== undefined) return;
    for (const { tally } of this.#replicas) tally.isObserved = false;
  }

  threads(): Iterable<ThreadReplica> {
    return this.#replicas;
  }

  kill(replica: ThreadReplica, why: string): boolean {
    return this.#replicas.kill(replica, why);
  }

  expiredAt(replicaId: string, at: number): boolean {
    const replica = this.#replicas.find(replicaId);
    if (replica === undefined) return false;
    replica.expiredAt = at;
    return true;
  }

  predecessorsGone(): Promise<void> {
    return this.#replicas.othersGone(this.#spec.fingerprint);
  }

  async stop(timeoutMs: number, error: ServeError): Promise<void> {
    this.#isStopping = true;
    this.#change?.reject(error);
    this.#count.forget();
    const deadline = now() + timeoutMs;
    const { switchboard } = this.#environment;
    await queueEmptied(switchboard.load(this.#key), () => this.#mayServe(), deadline);
    switchboard.fail(this.#key, error);
    await this.#replicas.close(Math.max(0, deadline - now()));
    switchboard.remove(this.#key, error);
  }

  #isAnyStopping(): boolean {
    return [...this.#replicas].some(({ state }) => state === 'STOPPING');
  }

  #mayServe(): boolean {
    return [...this.#replicas].some(({ isRoutable, state }) => isRoutable || state === 'STARTING');
  }

  get #clock(): Clock {
    return this.#environment.clock;
  }

  #configureRoutes(): void {
    const { options } = this.#spec;
    const { switchboard, tenants } = this.#environment;
    switchboard.configure(this.#key, routeConfig(options, tenants), options.maxQueuedRequests);
  }

  /** @param reconfigured the running replicas have the new config */
  #begin(isUpdate: boolean, reconfigured: Promise<void> = Promise.resolve()): Promise<void> {
    this.#change?.reject(this.#voice.unavailable('deployed again meanwhile'));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {});
    this.#change = { promise, resolve, reject, isUpdate };
    this.tick(this.#clock.now());
    return Promise.all([promise, reconfigured]).then(() => {});
  }

  /** Tells the running replicas the config that the spec has now. One that is taken away cannot be told. */
  #reconfigure(): Promise<void> {
    const { userConfig, startTimeoutMs } = this.#spec.options;
    if (userConfig === undefined) {
      for (const replica of this.#running()) if (replica.userConfig !== undefined) replica.isUnfit = true;
    }
    return this.#reconfiguration.apply(() => this.#running(), userConfig, startTimeoutMs);
  }

  #advise(replica: ThreadReplica | undefined): void {
    if (replica !== undefined) this.#voice.advise(repeatAdvice(this.#spec.options, replica.methods));
  }

  /** Those of the current version. */
  #running(): ThreadReplica[] {
    return [...this.#replicas].filter(
      ({ isRoutable, isUnfit, fingerprint }) =>
        isRoutable && !isUnfit && fingerprint === this.#spec.fingerprint,
    );
  }

  #reconcile(at: number): void {
    const { options, fingerprint } = this.#spec;
    const { rollout, restart, gracefulShutdownTimeoutMs: graceMs } = options;
    const isHeld = this.#failure !== undefined || this.isDegraded || this.#record.isWaiting(restart, at);
    const isOnTrial = this.#rollout?.isOnTrial ?? false;
    const isCramped = this.#count.pending !== undefined && !this.#isAnyStopping();
    const { target } = this.#count;
    const desired = { fingerprint, target, ...rollout, isHeld, isOnTrial, isCramped };
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
    const { live, old } = this.#look();
    if (reason === undefined || live > old || this.#isAnyStopping()) return;
    this.#isUnplaceable = true;
    this.#fail(this.#voice.failed(`no replica could be placed: ${reason}`, undefined));
  }

  /** What could not be placed may be placed now: then it is as if it had not failed. */
  #tryPlacing(): void {
    if (!this.#count.fits()) return;
    this.#isUnplaceable = false;
    this.#failure = undefined;
    this.#message = '';
    this.#configureRoutes();
  }

  #crashed(replica: ThreadReplica, how: string, error: unknown): void {
    this.#restarts++;
    if (!how.startsWith('failed in')) this.#rollout?.died(replica);
    this.#record.crashed(this.#clock.now());
    this.#message = `replica ${replica.replicaId} ${how}: ${messageOf(error)}`;
    this.#voice.crashed(replica.replicaId, how, error);
    if (this.isDegraded) this.#reportDegraded();
  }

  #reportDegraded(): void {
    this.#message = `${this.#replicas.zombies} threads are blocked in native code and cannot be ended: restart the process`;
    this.#voice.fault('degraded', this.#voice.unavailable(this.#message));
  }

  #startFailed(replica: ThreadReplica, phase: string, error: unknown): void {
    this.#crashed(replica, `failed in ${phase}`, error);
    if (replica.fingerprint !== this.#spec.fingerprint || this.#record.hasRun) return;
    const { maxConstructorRetryCount, startTimeoutMs } = this.#spec.options;
    const isHopeless = this.#record.failed({
      error,
      phase,
      isOverdue: now() - replica.startedAt >= startTimeoutMs,
      isUpdate: this.#isOldRunning(),
      target: this.#count.target,
      maxConstructorRetryCount,
    });
    if (!isHopeless) return;
    this.#fail(this.#voice.failed(`${phase} failed: ${messageOf(error)}`, error));
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
    this.#change?.reject(failure);
    this.#change = undefined;
    this.#failure = failure;
    this.#message = failure.message;
    if (![...this.#replicas].some(({ isRoutable }) => isRoutable))
      this.#environment.switchboard.fail(this.#key, failure);
  }

  #isOldRunning(): boolean {
    return [...this.#replicas].some(
      ({ isRoutable, fingerprint }) => isRoutable && fingerprint !== this.#spec.fingerprint,
    );
  }

  /** What the state of the replicas says about the deployment. */
  #judge(at: number): void {
    const { options } = this.#spec;
    const { running, old, live } = this.#look();
    this.#judgeChange(running, old);
    this.#count.observe(running, this.#isAnyStopping());
    const status = deploymentStatus({
      target: this.#count.target,
      running,
      live,
      old,
      hasRun: this.#record.hasRun,
      isFailed: this.#failure !== undefined,
      isCrashing: this.#record.isOverBudget(options.restart, at) || this.isDegraded,
      isChanging: this.#change !== undefined,
      scaling: this.#count.scaling,
    });
    this.#setStatus(status);
    if (status === 'HEALTHY') this.#replicas.renumber();
  }

  /** Replicas that have not been told to stop: all, those of other versions, and those of this one that run. */
  #look(): { live: number; old: number; running: number } {
    const { fingerprint } = this.#spec;
    const observed = this.#replicas.observe();
    const current = observed.filter((replica) => replica.fingerprint === fingerprint);
    const running = current.filter(({ isRunning }) => isRunning).length;
    return { live: observed.length, old: observed.length - current.length, running };
  }

  /** @returns what is wrong with the new version */
  #stepRollout(at: number): string | undefined {
    const rollout = this.#rollout;
    const group = this.#group;
    const { name, options } = this.#spec;
    const { target } = this.#count;
    const { running, old } = this.#look();
    if (rollout === undefined || group === undefined) {
      if (running >= Math.min(1, target) && !this.#reconfiguration.isRunning) group?.arrived(name);
      return undefined;
    }
    const { fault, isProved } = rollout.step({
      at,
      target,
      running,
      old,
      queued: this.#environment.switchboard.load(this.#key)?.queued ?? 0,
      observeMs: group.isWatched ? options.rollout.observeMs : 0,
      othersReady: group.isOpen,
    });
    if (fault === undefined && isProved) group.arrived(name);
    if (rollout.isDone) this.#rollout = undefined;
    return fault;
  }

  /** The new version runs, and is no good. @returns whether the app goes back */
  #faulted(fault: string): boolean {
    const failure = this.#voice.failed(`the new version is no good: ${fault}`, new Error(fault));
    this.#voice.fault('rollout', failure);
    if (this.#goesBack(failure)) return true;
    this.#rollout = undefined;
    this.#note = failure.message;
    this.#message = failure.message;
    return false;
  }

  #judgeChange(running: number, old: number): void {
    const change = this.#change;
    if (change === undefined || this.#reconfiguration.isRunning) return;
    const { target } = this.#count;
    if (running < (change.isUpdate ? target : Math.min(1, target)) || (change.isUpdate && old > 0)) return;
    change.resolve();
    if (running === target) this.#change = undefined;
  }

  #setStatus(status: DeploymentStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    if (status === 'HEALTHY') this.#message = this.#note;
    this.#voice.status(status, this.#message);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
