import { isDeepStrictEqual } from 'node:util';
import { replicasForLoad } from '../../controller/autoscale.ts';
import { keepMs, LoadScaler } from '../../controller/load-scaler.ts';
import type { Wanted } from '../../controller/policy.ts';
import type { ScalingReport } from '../../controller/status.ts';
import { boundsAt } from '../../controller/target-capacity.ts';
import type { WantedDeployment } from '../../controller/wanted.ts';
import type { AutoscalingConfig } from '../../deployment/options/autoscaling-config.ts';
import type { AutoscalingContext, AutoscalingPolicy } from '../../deployment/options/autoscaling-policy.ts';
import type { RouteKey } from '../../handle/routing/directory.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { DeploymentLoad } from '../../load/deployment-load.ts';
import type { TargetCapacity } from '../../store/snapshot.ts';
import type { ScalableDeployment } from '../deployments/running-deployment.ts';
import { askPolicy, type Hold } from './ask-policies.ts';
import { EndedCalls } from './ended-calls.ts';
import { FaultReports } from './fault-reports.ts';
import { PolicyMemory } from './policy-memory.ts';
import { ReplicaStats } from './replica-stats.ts';
import type { ScalingNeeds } from './scalable-app.ts';

/** Samples the load of one deployment and makes the controller decide about its number of replicas. */
export class DeploymentScaler {
  readonly deployment: ScalableDeployment;
  readonly #app: string;
  readonly #key: RouteKey;
  readonly #needs: ScalingNeeds;
  readonly #faults: FaultReports;
  #config: AutoscalingConfig;
  /** Number of replicas that is wanted so far. */
  #target: number;
  #capacity: TargetCapacity;
  readonly #scaler: LoadScaler;
  readonly #ended = new EndedCalls();
  #stats: ReplicaStats;
  readonly #memory: PolicyMemory;
  #report: ScalingReport | undefined = undefined;
  #sampledAt = -Infinity;
  #isWatching = false;
  #isClosed = false;

  constructor(
    { app, key, target }: WantedDeployment,
    deployment: ScalableDeployment,
    config: AutoscalingConfig,
    capacity: TargetCapacity,
    needs: ScalingNeeds,
  ) {
    this.deployment = deployment;
    this.#app = app;
    this.#key = key;
    this.#needs = needs;
    this.#config = config;
    this.#target = target;
    this.#capacity = capacity;
    this.#faults = new FaultReports(app, deployment.spec.name, needs.events, needs.log);
    this.#memory = new PolicyMemory(app, deployment.spec.name);
    this.#scaler = new LoadScaler(config, target);
    this.#stats = this.#newStats();
  }

  /** The deployment's own policy. */
  get policy(): AutoscalingPolicy | undefined {
    return this.deployment.spec.source.policy;
  }

  /** Whether calls wait for a deployment whose target is 0. */
  get isCold(): boolean {
    return this.#target === 0 && (this.#load?.queued ?? 0) > 0;
  }

  /** The last decision. */
  get report(): ScalingReport | undefined {
    return this.#report;
  }

  /**
   * Takes over the wanted options. The samples so far stay.
   * @returns whether the options, or their bounds, changed
   */
  follow(config: AutoscalingConfig, target: number, capacity: TargetCapacity): boolean {
    const isChanged = !isDeepStrictEqual([config, capacity], [this.#config, this.#capacity]);
    const keepsStats = keepMs(config) === keepMs(this.#config);
    this.#target = target;
    this.#capacity = capacity;
    this.#config = config;
    this.#scaler.follow(config);
    if (!keepsStats) this.#stats = this.#newStats();
    return isChanged;
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
      // An update runs more replicas for a while, which a small factor would mistake for the target.
      running: Math.min(running.length, this.#target),
      queued: this.#load?.queued ?? 0,
      ongoing: running.reduce((sum, { load }) => sum + load.ongoing, 0),
      ended: this.#ended.count(running),
    };
    this.#scaler.sample(sample, boundsAt(this.#config, this.#capacity));
  }

  /** Inputs of a policy; undefined if no policy must be asked. */
  context(): AutoscalingContext | undefined {
    const { inputs } = this.#scaler;
    if (inputs === undefined) return undefined;
    const running = this.#running().map(({ replicaId }) => replicaId);
    const load = { config: this.#config, target: this.#target, inputs, running, stats: this.#stats };
    return this.#memory.context(load, this.#needs.clock.timestamp());
  }

  /** Wish of the deployment's own policy, or of the default one if it has none. */
  ownWish(): Wanted | Hold {
    const { policy } = this;
    const { inputs } = this.#scaler;
    if (inputs === undefined) return { hold: 'no load was measured yet' };
    if (policy === undefined) {
      const replicas = replicasForLoad(this.#config, this.#target, inputs);
      return { replicas, state: undefined };
    }
    return askPolicy(policy, this.context(), this.#faults);
  }

  /** @param targets receives the target if it changes */
  decide(wish: Wanted | Hold, targets: Map<RouteKey, number>): void {
    if (this.#isClosed) return;
    const isWanted = 'replicas' in wish;
    const decision = this.#scaler.decide(this.#target, isWanted ? wish.replicas : wish);
    if (decision === undefined) return;
    if (isWanted) this.#memory.state = wish.state;
    const { from, to, desired, reason } = decision;
    const { at: _, ...seen } = decision.inputs;
    this.#report = { at: this.#needs.clock.timestamp(), from, to, desired, reason, inputs: seen };
    if (to !== from) this.#change(from, to, reason);
    if (to !== this.#target) targets.set(this.#key, to);
    this.#target = to;
    this.#watchQueue();
  }

  close(): void {
    this.#isClosed = true;
    this.#load?.wakeWatcher();
  }

  #change(from: number, to: number, reason: string): void {
    this.#memory.changed(from, to, this.#needs.clock.timestamp());
    const { name } = this.deployment.spec;
    const about = { app: this.#app, deployment: name, from, to, reason };
    this.#needs.log.info(about, `${name}: ${from} → ${to} replicas`);
    this.#needs.events.emit('scaling', about);
  }

  /** The first call to a deployment without replicas does not wait for a sample. */
  #watchQueue(): void {
    const load = this.#load;
    const isIdle = this.#target === 0 && this.#scaler.inputs?.queued === 0;
    if (this.#isWatching || !isIdle || load === undefined) return;
    this.#isWatching = true;
    void load.waitQueued().then(() => {
      this.#isWatching = false;
      if (!this.#isClosed) this.#needs.control.wake();
    });
  }

  get #load(): DeploymentLoad | undefined {
    return this.#needs.registry.load(this.#key);
  }

  #running(): ManagedReplica[] {
    return [...this.deployment.replicas()].filter(({ isRoutable }) => isRoutable);
  }

  #newStats(): ReplicaStats {
    return new ReplicaStats(keepMs(this.#config), (replica, error) =>
      this.#faults.report(`recordAutoscalingStats of ${replica}`, error),
    );
  }
}
