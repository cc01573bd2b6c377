import { reconcile } from '../../../controller/reconcile.ts';
import type { VersionRecord } from '../../../controller/roll-out.ts';
import {
  type DeploymentReport,
  type DeploymentStatus,
  deploymentStatus,
} from '../../../controller/status.ts';
import type { HostedDeployment } from '../../../deployment/app-spec.ts';
import { repeatAdvice } from '../../../deployment/idempotent.ts';
import type { ServeError } from '../../../errors.ts';
import type { TenantsOptions } from '../../../handle/queue/tenants.ts';
import { type RouteKey, routeKey } from '../../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../../handle/routing/endpoint-registry.ts';
import type { ManagedReplica } from '../../../isolation/managed-replica.ts';
import { startFailureReason } from '../../../isolation/start-failure.ts';
import type { DeploymentLoad } from '../../../load/deployment-load.ts';
import type { IngressDescription } from '../../../openapi/openapi-types.ts';
import { activeTime } from '../../../time/active-time.ts';
import type { Clock } from '../../../time/control-clock.ts';
import type { InstanceControl } from '../../control.ts';
import type { ResourceLedger } from '../../resources/resource-ledger.ts';
import type { DeploymentReporter } from '../deployment-reporter.ts';
import { queueEmptied } from '../queue-emptied.ts';
import { routeConfig } from '../route-config.ts';
import type { RunningDeployment, ScalableDeployment } from '../running-deployment.ts';
import type { UpdateBarrier } from '../update-barrier.ts';
import { type Census, census, countStates, describeReplicas, describeScheduling, observe } from './census.ts';
import { CrashRefusal } from './crash-refusal.ts';
import type { EjectionMonitor } from './ejection-monitor.ts';
import { PendingChange } from './pending-change.ts';
import { Reconfiguration } from './reconfiguration.ts';
import { type LostStart, ReplicaHistory } from './replica-history.ts';
import type { ReplicaReports } from './replica-reports.ts';
import { ReplicaSet } from './replica-set.ts';
import type { ReplicaStarter } from './replica-starter.ts';
import { ReplicaTarget } from './replica-target.ts';
import { Rollout } from './rollout.ts';

export interface ReplicatedDeploymentOptions {
  readonly registry: EndpointRegistry;
  readonly control: InstanceControl;
  readonly resources: ResourceLedger;
  readonly clock: Clock;
  readonly tenants: TenantsOptions | undefined;
  readonly reporter: DeploymentReporter;
  readonly starter: ReplicaStarter;
  readonly reports: ReplicaReports;
  readonly ejections: EjectionMonitor;
}

/**
 * A deployment whose replicas this instance starts and ends. It observes them, lets the controller decide, and carries out
 * the decisions.
 */
export class ReplicatedDeployment implements RunningDeployment, ScalableDeployment {
  readonly #key: RouteKey;
  readonly #registry: EndpointRegistry;
  readonly #tenants: TenantsOptions | undefined;
  readonly #clock: Clock;
  readonly #reporter: DeploymentReporter;
  readonly #history: ReplicaHistory;
  readonly #replicas: ReplicaSet;
  readonly #ejections: EjectionMonitor;
  readonly #target: ReplicaTarget;
  readonly #reconfiguration: Reconfiguration;
  readonly #refusal: CrashRefusal;
  #spec: HostedDeployment;
  #group: UpdateBarrier | undefined = undefined;
  #change: PendingChange | undefined = undefined;
  #failure: ServeError | undefined = undefined;
  /** The deployment failed because no replica fits anywhere, and recovers once one does. */
  #isUnplaceable = false;
  #isStopping = false;

  constructor(app: string, spec: HostedDeployment, options: ReplicatedDeploymentOptions) {
    const { name, fingerprint } = spec;
    const { registry, clock, tenants, control, resources, reporter, starter, reports, ejections } = options;
    this.#spec = spec;
    this.#key = routeKey(app, name);
    this.#registry = registry;
    this.#tenants = tenants;
    this.#clock = clock;
    const changed = (): void => this.tick(clock.now());
    const membersChanged = (): void => {
      changed();
      control.wake();
    };
    this.#reporter = reporter;
    this.#history = new ReplicaHistory(fingerprint, reporter, clock);
    this.#replicas = new ReplicaSet(app, name, starter, reporter, reports, this.#history, membersChanged);
    this.#reconfiguration = new Reconfiguration(() => this.#current(), reporter, changed);
    this.#refusal = new CrashRefusal(this.#key, reporter, registry, clock, () => this.#configureRoutes());
    this.#ejections = ejections;
    this.#configureRoutes();
    this.#target = new ReplicaTarget(this.#key, spec.options, control, resources);
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
    return this.#replicas.isRunning || (this.target === 0 && this.#failure === undefined);
  }

  get target(): number {
    return this.#target.target;
  }

  get isDegraded(): boolean {
    return this.#history.isDegraded;
  }

  get scalable(): ScalableDeployment {
    return this;
  }

  start(group: UpdateBarrier): Promise<void> {
    this.#group = group;
    return this.#begin(false);
  }

  /** Changes to another spec: in place if the fingerprint stays the same, else replica by replica. */
  update(spec: HostedDeployment, group: UpdateBarrier, note: string): Promise<void> {
    const previous = this.#spec;
    this.#spec = spec;
    this.#group = group;
    this.#reporter.note(note);
    this.#configureRoutes();
    this.#target.follow(spec.options);
    this.#replicas.configure(spec);
    const isOther = spec.fingerprint !== previous.fingerprint;
    if (isOther || this.#failure !== undefined) {
      this.#failure = undefined;
      this.#isUnplaceable = false;
      this.#history.follow(spec.fingerprint, this.#current().length > 0);
    }
    if (isOther) this.#history.rollout = new Rollout(spec.fingerprint, this.#replicas);
    const [current] = this.#current();
    if (current !== undefined) this.#reporter.advise(repeatAdvice(spec.options, current.methods));
    const reconfigured = this.#reconfiguration.apply(spec.options);
    return this.#begin(true, reconfigured);
  }

  tick(at: number): void {
    if (this.#isStopping) {
      this.#load?.endEmptiedWait();
      return;
    }
    this.#replicas.tick(at);
    this.#ejections.look(this.#replicas);
    if (this.#isUnplaceable) this.#tryPlacing();
    if (this.#lookAtFailures()) return;
    this.#reconfiguration.applyLate(this.#spec.options);
    const fault = this.#stepRollout(at);
    if (fault !== undefined && this.#faulted(fault)) return;
    this.#reconcile(at);
    this.#judge(at);
  }

  report(): Omit<DeploymentReport, 'scaling'> {
    return {
      status: this.#reporter.state,
      message: this.#reporter.message,
      targetReplicas: this.target,
      replicaStates: countStates(this.#replicas),
      replicas: this.#ejections.describe(describeReplicas(this.#replicas)),
      queued: this.#load?.queued ?? 0,
      restarts: this.#history.restarts,
      lastError: this.#reporter.lastError,
      nextTryAt: this.#isMissing ? this.#history.nextTryAt(this.#spec.options.restart) : undefined,
      scheduling: describeScheduling(this.#replicas, this.#spec.name),
      pending: this.#target.pending,
    };
  }

  get #isMissing(): boolean {
    return this.#failure === undefined && this.#census().live < this.target;
  }

  followPlan(): void {
    if (this.#target.read()) this.tick(this.#clock.now());
  }

  async describe(): Promise<IngressDescription | undefined> {
    return [...this.#replicas].find(({ isRoutable }) => isRoutable)?.control.describe();
  }

  observe(): VersionRecord {
    this.#replicas.setObserved(true);
    return { ...this.#replicas.tally, deaths: this.#history.restarts };
  }

  ignore(): void {
    if (this.#history.rollout === undefined) this.#replicas.setObserved(false);
  }

  replicas(): Iterable<ManagedReplica> {
    return this.#replicas;
  }

  destroy(replicaId: string, why: string): boolean {
    return this.#replicas.destroy(replicaId, why);
  }

  predecessorsGone(): Promise<void> {
    return this.#replicas.othersGone(this.#spec.fingerprint);
  }

  async close(timeoutMs: number, error: ServeError): Promise<void> {
    this.#isStopping = true;
    this.#change?.destroy(error);
    this.#target.forget();
    const deadline = activeTime.now() + timeoutMs;
    await queueEmptied(this.#load, () => this.#replicas.mayServe, deadline);
    this.#registry.fail(this.#key, error);
    await this.#replicas.close(Math.max(0, deadline - activeTime.now()));
    this.#registry.remove(this.#key, error);
  }

  get #load(): DeploymentLoad | undefined {
    return this.#registry.load(this.#key);
  }

  #configureRoutes(): void {
    const { options } = this.#spec;
    this.#refusal.forget();
    this.#registry.configure(this.#key, routeConfig(options, this.#tenants), options.maxQueuedRequests);
  }

  /** @param reconfigured resolves when the running replicas have the new config */
  #begin(isUpdate: boolean, reconfigured: Promise<void> = Promise.resolve()): Promise<void> {
    this.#change?.destroy(this.#reporter.unavailable('superseded by a newer deploy'));
    const change = new PendingChange(isUpdate);
    this.#change = change;
    this.tick(this.#clock.now());
    return Promise.all([change.over, reconfigured]).then(() => {});
  }

  /** Running replicas of the current version. */
  #current(): ManagedReplica[] {
    return this.#replicas.running(this.#spec.fingerprint);
  }

  #census(): Census {
    return census(this.#replicas, this.#spec.fingerprint);
  }

  #reconcile(at: number): void {
    const { options, fingerprint } = this.#spec;
    const { rollout, restart, gracefulShutdownTimeoutMs: graceMs } = options;
    const isHeld =
      this.#failure !== undefined || this.isDegraded || this.#history.starts.isWaiting(restart, at);
    const isOnTrial = this.#history.rollout?.isOnTrial ?? false;
    const isCramped = this.#target.pending !== undefined && !this.#replicas.isStopping;
    const desired = { fingerprint, target: this.target, ...rollout, isHeld, isOnTrial, isCramped };
    const unplaced: string[] = [];
    for (const action of reconcile(desired, observe(this.#replicas))) {
      if (action.type === 'start') this.#start(unplaced);
      // The calls of the replica were accepted: they may take until their deadlines.
      else this.#replicas.closeOne(action.id, { graceMs, promised: options });
    }
    if (!isHeld) this.#judgePlacing(at, unplaced);
  }

  /** @param unplaced receives the reason if the replica fits nowhere; no other replica fits then either */
  #start(unplaced: string[]): void {
    const why = unplaced[0] ?? this.#replicas.start(this.#spec);
    if (why !== undefined) unplaced.push(why);
  }

  #judgePlacing(at: number, unplaced: readonly string[]): void {
    this.#target.observePending(at, unplaced.length, unplaced[0] ?? '');
    const reason = this.#target.overdue(at);
    const { live, old } = this.#census();
    if (reason === undefined || live > old || this.#replicas.isStopping) return;
    this.#isUnplaceable = true;
    this.#fail(this.#reporter.failed(`no replica could be placed: ${reason}`, undefined));
  }

  /** Withdraws the placement failure once a replica fits again. */
  #tryPlacing(): void {
    if (!this.#target.fits()) return;
    this.#isUnplaceable = false;
    this.#failure = undefined;
    this.#reporter.message = '';
    this.#configureRoutes();
  }

  /** @returns whether the app rolls back */
  #lookAtFailures(): boolean {
    const refusal = this.#reconfiguration.takeRefusal();
    if (refusal !== undefined && this.#fail(refusal)) return true;
    return this.#history.takeLostStarts().some((lost) => this.#startFailed(lost));
  }

  #startFailed({ fingerprint, phase, error, tookMs }: LostStart): boolean {
    if (fingerprint !== this.#spec.fingerprint || this.#history.starts.hasRun) return false;
    const { maxConstructorRetryCount, startTimeoutMs } = this.#spec.options;
    const isHopeless = this.#history.starts.failed({
      error,
      phase,
      isOverdue: tookMs >= startTimeoutMs,
      isUpdate: this.#replicas.isOtherRoutable(this.#spec.fingerprint),
      target: this.target,
      maxConstructorRetryCount,
    });
    if (!isHopeless) return false;
    const why = `${phase} failed: ${startFailureReason(phase, error)}`;
    return this.#fail(this.#reporter.failed(why, error));
  }

  /** @returns whether the app rolls back */
  #fail(failure: ServeError): boolean {
    const goesBack = this.#goesBack(failure);
    if (!goesBack) this.#markFailed(failure);
    return goesBack;
  }

  /** The new version failed. @returns whether the app rolls back */
  #goesBack(failure: ServeError): boolean {
    return this.#spec.options.rollout.autoRollback && (this.#group?.failed(failure) ?? false);
  }

  /** The current version never ran and never will. */
  #markFailed(failure: ServeError): void {
    this.#change?.destroy(failure);
    this.#change = undefined;
    this.#failure = failure;
    this.#reporter.message = failure.message;
    if (!this.isRoutable) this.#registry.fail(this.#key, failure);
  }

  /** Derives the status of the deployment from the state of its replicas. */
  #judge(at: number): void {
    const { options } = this.#spec;
    const { target } = this;
    const { running, old, live } = this.#census();
    if (!this.#reconfiguration.isRunning && this.#change?.judge(target, running, old) === true)
      this.#change = undefined;
    this.#target.observe(running, this.#replicas.isStopping);
    if (this.#failure !== undefined) this.#refusal.forget();
    else this.#refusal.judge(this.#history, options.restart, target === 0 || this.isRoutable, at);
    const status = deploymentStatus({
      target,
      running,
      live,
      old,
      hasRun: this.#history.starts.hasRun,
      isFailed: this.#failure !== undefined,
      isCrashing: this.#history.isCrashing(options.restart, at),
      isChanging: this.#change !== undefined,
      scaling: this.#target.scaling,
    });
    this.#reporter.turn(status);
    if (status === 'HEALTHY') this.#replicas.renumber();
  }

  /** @returns the fault of the new version */
  #stepRollout(at: number): string | undefined {
    const { rollout } = this.#history;
    const group = this.#group;
    const { name, options } = this.#spec;
    const { target } = this;
    const { running, old } = this.#census();
    if (rollout === undefined || group === undefined) {
      if (running >= Math.min(1, target) && !this.#reconfiguration.isRunning) group?.arrived(name);
      return undefined;
    }
    const { fault, isProved } = rollout.step({
      at,
      target,
      running,
      old,
      queued: this.#load?.queued ?? 0,
      observeMs: group.isWatched ? options.rollout.observeMs : 0,
      // A version that is being restored takes over at once.
      othersReady: group.isOpen || !group.isWatched,
    });
    if (fault === undefined && isProved) group.arrived(name);
    if (rollout.isDone) this.#history.rollout = undefined;
    return fault;
  }

  /** Calls to the new version fail or hang. @returns whether the app rolls back */
  #faulted(fault: string): boolean {
    const failure = this.#reporter.failed(`new version rejected: ${fault}`, new Error(fault));
    this.#reporter.fault('rollout', failure);
    if (this.#goesBack(failure)) return true;
    this.#history.rollout = undefined;
    this.#reporter.note(failure.message);
    return false;
  }
}
