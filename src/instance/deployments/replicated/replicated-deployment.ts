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
import { type Census, census, countStates, describeReplicas, describeScheduling } from './census.ts';
import { CrashRefusal } from './crash-refusal.ts';
import type { EjectionMonitor } from './ejection-monitor.ts';
import { Reconciler } from './reconciler.ts';
import { Reconfiguration } from './reconfiguration.ts';
import { ReplicaHistory } from './replica-history.ts';
import type { ReplicaReports } from './replica-reports.ts';
import { ReplicaSet } from './replica-set.ts';
import type { ReplicaStarter } from './replica-starter.ts';
import { ReplicaTarget } from './replica-target.ts';
import { Rollout } from './rollout.ts';
import { SpecChange } from './spec-change.ts';
import { stepRollout } from './step-rollout.ts';

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
  readonly #reconciler: Reconciler;
  readonly #reconfiguration: Reconfiguration;
  readonly #refusal: CrashRefusal;
  #spec: HostedDeployment;
  /** The last change of the spec. */
  #change: SpecChange | undefined = undefined;
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
    this.#reconciler = new Reconciler(this.#replicas, this.#target, this.#history);
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
    if (this.#replicas.isRunning) return true;
    return this.target === 0 && this.#target.isPlanned && this.#failure === undefined;
  }

  get target(): number {
    return this.#target.target;
  }

  get failedStarts(): number {
    return this.#history.failedStarts;
  }

  get isDegraded(): boolean {
    return this.#history.isDegraded;
  }

  get scalable(): ScalableDeployment {
    return this;
  }

  start(group: UpdateBarrier): Promise<void> {
    return this.#begin(group, false);
  }

  /** Changes to another spec: in place if the fingerprint stays the same, else replica by replica. */
  update(spec: HostedDeployment, group: UpdateBarrier, note: string): Promise<void> {
    const previous = this.#spec;
    this.#spec = spec;
    this.#reporter.note(note);
    this.#configureRoutes();
    this.#target.follow(spec.options);
    this.#replicas.configure(spec);
    const isOther = spec.fingerprint !== previous.fingerprint;
    if (isOther || this.#failure !== undefined)
      this.#history.follow(spec.fingerprint, this.#current().length > 0);
    if (isOther) this.#history.rollout = new Rollout(spec.fingerprint, this.#replicas);
    const [current] = this.#current();
    if (current !== undefined) this.#reporter.advise(repeatAdvice(spec.options, current.methods));
    const reconfigured = this.#reconfiguration.apply(spec.options);
    return this.#begin(group, true, reconfigured);
  }

  tick(at: number): void {
    if (this.#isStopping) {
      this.#load?.endEmptiedWait();
      return;
    }
    this.#replicas.tick(at);
    this.#ejections.look(this.#replicas);
    if (this.#change?.isUnplaceable === true) this.#tryPlacing();
    if (this.#lookAtFailures()) return;
    this.#reconfiguration.applyLate(this.#spec.options);
    const fault = this.#stepRollout(at);
    if (fault !== undefined && this.#faulted(fault)) return;
    const unplaceable = this.#reconciler.reconcile(this.#spec, at, this.#failure !== undefined);
    if (unplaceable !== undefined)
      this.#fail(this.#reporter.failed(`no replica could be placed: ${unplaceable}`, undefined), true);
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

  get #failure(): ServeError | undefined {
    return this.#change?.failure;
  }

  get #load(): DeploymentLoad | undefined {
    return this.#registry.load(this.#key);
  }

  #configureRoutes(): void {
    const { maxQueuedRequests } = this.#spec.options;
    this.#refusal.forget();
    this.#registry.configure(this.#key, routeConfig(this.#spec, this.#tenants), maxQueuedRequests);
  }

  /** @param reconfigured resolves when the running replicas have the new config */
  #begin(
    group: UpdateBarrier,
    isUpdate: boolean,
    reconfigured: Promise<void> = Promise.resolve(),
  ): Promise<void> {
    this.#change?.destroy(this.#reporter.unavailable('superseded by a newer deploy'));
    const change = new SpecChange(group, isUpdate);
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

  /** Withdraws the placement failure once a replica fits again. */
  #tryPlacing(): void {
    if (!this.#target.fits()) return;
    this.#change?.recover();
    this.#reporter.message = '';
    this.#configureRoutes();
  }

  /** @returns whether the app rolls back */
  #lookAtFailures(): boolean {
    const refusal = this.#reconfiguration.takeRefusal();
    if (refusal !== undefined && this.#fail(refusal)) return true;
    const { fingerprint, options } = this.#spec;
    const isUpdate = this.#replicas.isOtherRoutable(fingerprint);
    return this.#history
      .takeHopelessStarts(options, isUpdate, this.target)
      .some((failure) => this.#fail(failure));
  }

  /** The current version never ran and never will. @returns whether the app rolls back */
  #fail(failure: ServeError, isUnplaceable = false): boolean {
    if (this.#goesBack(failure)) return true;
    this.#change?.fail(failure, isUnplaceable);
    this.#reporter.message = failure.message;
    if (!this.isRoutable) this.#registry.fail(this.#key, failure);
    return false;
  }

  /** The new version failed. @returns whether the app rolls back */
  #goesBack(failure: ServeError): boolean {
    return this.#spec.options.rollout.autoRollback && (this.#change?.barrier.failed(failure) ?? false);
  }

  /** Derives the status of the deployment from the state of its replicas. */
  #judge(at: number): void {
    const { options } = this.#spec;
    const { target } = this;
    const { running, old, live } = this.#census();
    const isSettled = this.#target.isPlanned && !this.#reconfiguration.isRunning;
    if (isSettled && this.#change?.isPending === true) this.#change.judge(target, running, old);
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
      isChanging: this.#change?.isPending === true,
      scaling: this.#target.scaling,
    });
    this.#reporter.turn(status);
    if (status === 'HEALTHY') this.#replicas.renumber();
  }

  /** @returns the fault of the new version */
  #stepRollout(at: number): string | undefined {
    const { target } = this;
    const { running, old } = this.#census();
    const queued = this.#load?.queued ?? 0;
    const isReconfiguring = this.#reconfiguration.isRunning;
    const sight = { at, target, running, old, queued, isReconfiguring };
    return stepRollout(this.#history, this.#change?.barrier, this.#spec, sight);
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
