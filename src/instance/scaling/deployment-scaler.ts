import { isColdStart, loadThatCounts, replicasForLoad, type Wish } from '../../controller/autoscale.ts';
import { keepMs, LoadScaler } from '../../controller/load-scaler.ts';
import { readPolicyResult, type Wanted } from '../../controller/policy.ts';
import type { ScalingReport } from '../../controller/status.ts';
import { boundsAt } from '../../controller/target-capacity.ts';
import type { ResolvedAutoscaling } from '../../deployment/options/autoscaling-options.ts';
import type { AutoscalingContext } from '../../deployment/options/autoscaling-policy.ts';
import { routeKey } from '../../handle/routing/directory.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { DeploymentLoad } from '../../load/deployment-load.ts';
import type { ScalableDeployment } from '../deployments/running-deployment.ts';
import type { Environment } from '../environment.ts';
import { EndedCalls } from './ended-calls.ts';
import { FaultReports } from './fault-reports.ts';
import { ReplicaStats } from './replica-stats.ts';

/** Nothing changes, for that reason. */
export type Hold = Exclude<Wish, number>;

/** Samples the load of one deployment, has the controller decide, and gives the deployment its target. */
export class DeploymentScaler {
  readonly #app: string;
  readonly #deployment: ScalableDeployment;
  readonly #environment: Environment;
  readonly #faults: FaultReports;
  #config: ResolvedAutoscaling;
  readonly #scaler: LoadScaler;
  readonly #ended = new EndedCalls();
  #stats: ReplicaStats;
  #policyState: unknown = undefined;
  #lastUp: number | undefined = undefined;
  #lastDown: number | undefined = undefined;
  #report: ScalingReport | undefined = undefined;
  #sampledAt = -Infinity;
  #isWatching = false;
  #isClosed = false;

  constructor(
    app: string,
    deployment: ScalableDeployment,
    config: ResolvedAutoscaling,
    environment: Environment,
  ) {
    this.#app = app;
    this.#deployment = deployment;
    this.#environment = environment;
    this.#config = config;
    this.#faults = new FaultReports(app, deployment.spec.name, environment);
    this.#scaler = new LoadScaler(config, deployment.target);
    this.#stats = this.#newStats();
  }

  get config(): ResolvedAutoscaling {
    return this.#config;
  }

  /** The last decision. */
  get report(): ScalingReport | undefined {
    return this.#report;
  }

  /** Goes by other options. What was measured so far counts on. */
  follow(config: ResolvedAutoscaling): void {
    const isSame = keepMs(config) === keepMs(this.#config);
    this.#config = config;
    this.#scaler.follow(config);
    if (!isSame) this.#stats = this.#newStats();
  }

  isDue(at: number): boolean {
    // A timer may fire a little early.
    return at - this.#sampledAt >= this.#config.metricsIntervalMs - 5;
  }

  sample(at: number): void {
    this.#sampledAt = at;
    const running = this.#running();
    this.#stats.ask(at, running);
    const sample = {
      at,
      // An update has more for a while; a small factor would take them for wanted.
      running: Math.min(running.length, this.#deployment.target),
      queued: this.#load?.queued ?? 0,
      ongoing: running.reduce((sum, { load }) => sum + load.ongoing, 0),
      ended: this.#ended.count(running),
    };
    this.#scaler.sample(sample, boundsAt(this.#config, this.#environment.targetCapacity()));
  }

  /** What a policy sees; undefined while none is to be asked. */
  context(): AutoscalingContext | undefined {
    const { inputs } = this.#scaler;
    if (inputs === undefined || isColdStart(inputs)) return undefined;
    const { at, running, queued, ongoing, bounds } = inputs;
    const currentTime = this.#environment.clock.timestamp();
    const { policy: _, ...config } = this.#config;
    return {
      appName: this.#app,
      deploymentName: this.#deployment.spec.name,
      currentNumReplicas: running,
      targetNumReplicas: this.#deployment.target,
      runningReplicas: this.#running().map(({ replicaId }) => replicaId),
      totalNumRequests: loadThatCounts(this.#config, inputs),
      totalQueuedRequests: queued,
      totalRunningRequests: ongoing,
      ...this.#stats.read(at, this.#config.lookBackPeriodMs, (time) => Math.round(currentTime + time - at)),
      capacityAdjustedMinReplicas: bounds.min,
      capacityAdjustedMaxReplicas: bounds.max,
      policyState: this.#policyState,
      lastScaleUpTime: this.#lastUp,
      lastScaleDownTime: this.#lastDown,
      currentTime,
      config,
    };
  }

  /** What the deployment's own policy wants, the default one if it has none. */
  ownWish(): Wanted | Hold {
    const { policy } = this.#config;
    const { inputs } = this.#scaler;
    if (inputs === undefined) return { hold: 'nothing was measured yet' };
    if (policy === undefined) {
      const replicas = replicasForLoad(this.#config, this.#deployment.target, inputs);
      return { replicas, state: undefined };
    }
    const context = this.context();
    if (context === undefined) return { hold: 'nobody was asked' };
    const wanted = this.#faults.attempt('autoscaling policy', () =>
      readPolicyResult(policy(context), this.#policyState),
    );
    return wanted ?? { hold: 'the policy failed' };
  }

  decide(wish: Wanted | Hold): void {
    if (this.#isClosed) return;
    const isWanted = 'replicas' in wish;
    const decision = this.#scaler.decide(this.#deployment.target, isWanted ? wish.replicas : wish);
    if (decision === undefined) return;
    if (isWanted) this.#policyState = wish.state;
    const { from, to, desired, reason } = decision;
    const { at: _, ...seen } = decision.inputs;
    this.#report = { at: this.#environment.clock.timestamp(), from, to, desired, reason, inputs: seen };
    if (to !== from) this.#apply(from, to, reason);
    this.#watchQueue();
  }

  close(): void {
    this.#isClosed = true;
    this.#load?.wakeWatcher();
  }

  #apply(from: number, to: number, reason: string): void {
    if (to > from) this.#lastUp = this.#environment.clock.timestamp();
    else this.#lastDown = this.#environment.clock.timestamp();
    const { name } = this.#deployment.spec;
    const about = { app: this.#app, deployment: name, from, to, reason };
    this.#environment.log.info(about, `${name}: ${from} → ${to} replicas`);
    this.#environment.events.emit('scaling', about);
    this.#deployment.scaleTo(to);
  }

  #startCold(): void {
    this.sample(this.#environment.clock.now());
    this.decide({ hold: 'no call waits any more' });
  }

  /** The first call to a deployment without replicas does not wait for a sample. */
  #watchQueue(): void {
    const load = this.#load;
    const isCold = this.#deployment.target === 0 && this.#scaler.inputs?.queued === 0;
    if (this.#isWatching || !isCold || load === undefined) return;
    this.#isWatching = true;
    void load.waitQueued().then(() => {
      this.#isWatching = false;
      if (!this.#isClosed) this.#startCold();
    });
  }

  get #load(): DeploymentLoad | undefined {
    return this.#environment.registry.load(routeKey(this.#app, this.#deployment.spec.name));
  }

  #running(): ManagedReplica[] {
    return [...this.#deployment.replicas()].filter(({ isRoutable }) => isRoutable);
  }

  #newStats(): ReplicaStats {
    return new ReplicaStats(keepMs(this.#config), (replica, error) =>
      this.#faults.report(`recordAutoscalingStats of ${replica}`, error),
    );
  }
}
