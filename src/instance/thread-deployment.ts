import { type CrashHistory, isOverBudget, nextStartAt, recordCrash } from '../controller/back-off.ts';
import { reconcile } from '../controller/reconcile.ts';
import { type DeploymentReport, type DeploymentStatus, deploymentStatus } from '../controller/status.ts';
import type { DeploymentSpec } from '../deployment/app-spec.ts';
import { ServeError } from '../errors.ts';
import { type RouteKey, routeKey } from '../handle/directory.ts';
import { now } from '../time/clock.ts';
import type { Environment } from './environment.ts';
import { ReplicaCount } from './replica-count.ts';
import { ReplicaSet } from './replica-set.ts';
import { routeConfig } from './route-config.ts';
import type { RunningDeployment } from './running-deployment.ts';
import type { ThreadReplica } from './thread-replica.ts';

/** Threads that cannot be ended, until no more are started: each keeps its memory and a core busy. */
const MAX_ZOMBIES = 2;

/** Failed starts with these codes are not tried again. */
const HOPELESS: ReadonlySet<string> = new Set([
  'SERVE_MODULE_MISMATCH',
  'SERVE_MAIN_IN_WORKER',
  'SERVE_INVALID_OPTION',
  'SERVE_NOT_SERIALIZABLE',
]);

/** A change that somebody waits for. */
interface Rollout {
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
  readonly #app: string;
  readonly #environment: Environment;
  readonly #replicas: ReplicaSet;
  #spec: DeploymentSpec;
  readonly #count: ReplicaCount;
  /** It failed because no replica fits anywhere, and comes back once one does. */
  #isUnplaceable = false;
  /** What to go back to if the current version never runs. */
  #previous: DeploymentSpec | undefined = undefined;
  #crashes: CrashHistory = [];
  /** Failed starts of the current version. */
  #failedStarts = 0;
  /** A replica of the current version ran once. */
  #hasRun = false;
  #failure: ServeError | undefined = undefined;
  #rollout: Rollout | undefined = undefined;
  #status: DeploymentStatus = 'UPDATING';
  #message = '';
  #restarts = 0;
  #isReconfiguring = 0;
  #isStopping = false;

  constructor(app: string, spec: DeploymentSpec, environment: Environment) {
    this.#app = app;
    this.#spec = spec;
    this.#environment = environment;
    this.#key = routeKey(app, spec.name);
    this.#replicas = new ReplicaSet(app, spec.name, environment, {
      ready: ({ version }) => {
        this.#hasRun ||= version === this.#spec.version;
      },
      crashed: (replica, how, error) => this.#crashed(replica, how, error),
      startFailed: (replica, phase, error) => this.#startFailed(replica, phase, error),
      changed: () => this.tick(now()),
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

  start(): Promise<void> {
    return this.#beginRollout(false);
  }

  /** Goes over to another spec: in place as far as the version is the same, else replica by replica. */
  async update(spec: DeploymentSpec): Promise<void> {
    const previous = this.#spec;
    this.#spec = spec;
    this.#configureRoutes();
    this.#count.follow(spec.options);
    if (spec.version === previous.version && this.#failure === undefined) {
      await this.#changeInPlace(previous);
    } else {
      this.#previous = this.#hasRun ? previous : undefined;
      this.#failure = undefined;
      this.#isUnplaceable = false;
      this.#failedStarts = 0;
      this.#crashes = [];
      this.#hasRun = false;
    }
    return this.#beginRollout(true);
  }

  tick(at: number): void {
    if (this.#isStopping) return;
    this.#replicas.tick(at);
    if (this.#isUnplaceable) this.#tryPlacing();
    this.#reconcile(at);
    this.#judge(at);
  }

  report(): DeploymentReport {
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
    this.tick(now());
  }

  /** The target capacity changed. */
  recount(): void {
    this.#count.follow(this.#spec.options);
    this.tick(now());
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

  async stop(timeoutMs: number, error: ServeError): Promise<void> {
    this.#isStopping = true;
    this.#rollout?.reject(error);
    this.#count.forget();
    const deadline = now() + timeoutMs;
    const { switchboard } = this.#environment;
    await this.#queueEmptied(deadline);
    switchboard.fail(this.#key, error);
    await this.#replicas.close(Math.max(0, deadline - now()));
    switchboard.remove(this.#key, error);
  }

  /** Until no call waits that a replica could still serve. */
  async #queueEmptied(deadline: number): Promise<void> {
    const load = this.#environment.switchboard.load(this.#key);
    while (load !== undefined && load.queued > 0 && this.#mayServe() && now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #mayServe(): boolean {
    return [...this.#replicas].some(({ isRoutable, state }) => isRoutable || state === 'STARTING');
  }

  #configureRoutes(): void {
    const { options } = this.#spec;
    this.#environment.switchboard.configure(this.#key, routeConfig(options), options.maxQueuedRequests);
  }

  #beginRollout(isUpdate: boolean): Promise<void> {
    this.#rollout?.reject(
      new ServeError('SERVE_UNAVAILABLE', `${this.#spec.name}: deployed again meanwhile`),
    );
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {});
    this.#rollout = { promise, resolve, reject, isUpdate };
    this.tick(now());
    return promise;
  }

  async #changeInPlace(previous: DeploymentSpec): Promise<void> {
    const { options } = this.#spec;
    for (const replica of this.#replicas) replica.load.limit = options.maxOngoingRequests;
    if (JSON.stringify(previous.options.userConfig) === JSON.stringify(options.userConfig)) return;
    this.#isReconfiguring++;
    try {
      await Promise.all([...this.#replicas].map((replica) => this.#reconfigure(replica)));
    } finally {
      this.#isReconfiguring--;
    }
  }

  async #reconfigure(replica: ThreadReplica): Promise<void> {
    if (replica.state !== 'RUNNING') return;
    try {
      await replica.reconfigure(this.#spec.options.userConfig);
    } catch (cause) {
      void replica.drain(this.#spec.options.gracefulShutdownTimeoutMs);
      throw this.#failed(`reconfigure failed: ${messageOf(cause)}`, cause);
    }
  }

  #reconcile(at: number): void {
    const { options, version } = this.#spec;
    const { rollout, restart, gracefulShutdownTimeoutMs, requestTimeoutMs } = options;
    const isWaiting = at < nextStartAt(this.#crashes, restart, at);
    const isHeld = this.#failure !== undefined || this.isDegraded || isWaiting;
    const desired = { version, target: this.#count.target, ...rollout, isHeld };
    const unplaced: string[] = [];
    for (const action of reconcile(desired, this.#replicas.observe())) {
      if (action.type === 'start') this.#start(unplaced);
      // Its calls were accepted: they may take as long as their deadlines say.
      else this.#replicas.stop(action.id, Math.max(gracefulShutdownTimeoutMs, requestTimeoutMs));
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
    const { version } = this.#spec;
    if (reason === undefined || this.#replicas.observe().some((replica) => replica.version === version))
      return;
    this.#isUnplaceable = true;
    this.#giveUp(this.#failed(`no replica could be placed: ${reason}`, undefined));
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
    this.#crashes = recordCrash(this.#crashes, now());
    this.#message = `replica ${replica.replicaId} ${how}: ${messageOf(error)}`;
    const { name } = this.#spec;
    const about = { app: this.#app, deployment: name, replica: replica.replicaId, err: error };
    this.#environment.log.error(about, `${name}: replica ${how}`);
    if (this.isDegraded) this.#reportDegraded();
  }

  #reportDegraded(): void {
    const { name } = this.#spec;
    this.#message = `${this.#replicas.zombies} threads are blocked in native code and cannot be ended: restart the process`;
    const error = new ServeError('SERVE_UNAVAILABLE', this.#message, { app: this.#app, deployment: name });
    this.#environment.events.emit('fault', { app: this.#app, deployment: name, reason: 'degraded', error });
  }

  #startFailed(replica: ThreadReplica, phase: string, error: unknown): void {
    this.#crashed(replica, `failed in ${phase}`, error);
    if (replica.version !== this.#spec.version || this.#hasRun) return;
    const { maxConstructorRetryCount } = this.#spec.options;
    // What is wrong with the code or its options is wrong the next time as well.
    const isHopeless = error instanceof ServeError && HOPELESS.has(error.code);
    if (
      ++this.#failedStarts < Math.min(maxConstructorRetryCount, Math.max(1, this.#count.target) * 3) &&
      !isHopeless
    )
      return;
    this.#giveUp(this.#failed(`${phase} failed: ${messageOf(error)}`, error));
  }

  /** The current version never ran and never will: back to the one before, if that still serves. */
  #giveUp(failure: ServeError): void {
    this.#rollout?.reject(failure);
    this.#rollout = undefined;
    const previous = this.#previous;
    const isOldRunning = [...this.#replicas].some(
      ({ state, version }) => state === 'RUNNING' && version !== this.#spec.version,
    );
    if (this.#spec.options.rollout.autoRollback && previous !== undefined && isOldRunning) {
      this.#spec = previous;
      this.#count.follow(previous.options);
      this.#hasRun = true;
      this.#crashes = [];
      this.#configureRoutes();
      this.#message = `rolled back: ${failure.message}`;
      return;
    }
    this.#failure = failure;
    if (!isOldRunning) this.#environment.switchboard.fail(this.#key, failure);
  }

  /** What the state of the replicas says about the deployment. */
  #judge(at: number): void {
    const { options, version } = this.#spec;
    const observed = this.#replicas.observe();
    const old = observed.filter((replica) => replica.version !== version).length;
    const running = observed.filter((replica) => replica.isRunning && replica.version === version).length;
    this.#judgeRollout(running, old);
    this.#count.observe(
      running,
      [...this.#replicas].some(({ state }) => state === 'STOPPING'),
    );
    const status = deploymentStatus({
      target: this.#count.target,
      running,
      live: observed.length,
      old,
      hasRun: this.#hasRun,
      isFailed: this.#failure !== undefined,
      isCrashing: isOverBudget(this.#crashes, options.restart, at) || this.isDegraded,
      isChanging: this.#rollout !== undefined,
      scaling: this.#count.scaling,
    });
    this.#setStatus(status);
  }

  #judgeRollout(running: number, old: number): void {
    const rollout = this.#rollout;
    if (rollout === undefined || this.#isReconfiguring > 0) return;
    const target = this.#count.target;
    if (running < (rollout.isUpdate ? target : Math.min(1, target)) || (rollout.isUpdate && old > 0)) return;
    rollout.resolve();
    if (running === target) this.#rollout = undefined;
  }

  #setStatus(status: DeploymentStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    if (status === 'HEALTHY' && !this.#message.startsWith('rolled back')) this.#message = '';
    const about = { app: this.#app, deployment: this.#spec.name, status, message: this.#message };
    this.#environment.events.emit('deployment', about);
  }

  #failed(what: string, cause: unknown): ServeError {
    const { name } = this.#spec;
    return new ServeError('SERVE_DEPLOY_FAILED', `${name}: ${what}`, {
      app: this.#app,
      deployment: name,
      cause,
    });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
