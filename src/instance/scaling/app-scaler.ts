import type { ScalingReport } from '../../controller/status.ts';
import type { WantedDeployment } from '../../controller/wanted.ts';
import type { AppAutoscalingPolicy } from '../../deployment/options/autoscaling-policy.ts';
import type { RouteKey } from '../../handle/routing/directory.ts';
import type { TargetCapacity } from '../../store/snapshot.ts';
import { askAppPolicy } from './ask-policies.ts';
import { DeploymentScaler } from './deployment-scaler.ts';
import { FaultReports } from './fault-reports.ts';
import type { ScalableApp, ScalingNeeds } from './scalable-app.ts';
import { TwoPolicies } from './two-policies.ts';

/** The autoscaled deployments of one app. */
export class AppScaler {
  readonly #needs: ScalingNeeds;
  readonly #twoPolicies: TwoPolicies;
  readonly #faults: FaultReports;
  readonly #scalers = new Map<string, DeploymentScaler>();
  #policy: AppAutoscalingPolicy | undefined = undefined;

  constructor(app: string, needs: ScalingNeeds) {
    this.#twoPolicies = new TwoPolicies(app, needs.log);
    this.#needs = needs;
    this.#faults = new FaultReports(app, undefined, needs.events, needs.log);
  }

  /** The last decision about a deployment. */
  report(deployment: string): ScalingReport | undefined {
    return this.#scalers.get(deployment)?.report;
  }

  /**
   * Decides about the deployments that are due, or about all of them after a change other than their load.
   * @param targets receives those that change
   */
  decide(
    at: number,
    app: ScalableApp,
    wanted: readonly WantedDeployment[],
    capacity: TargetCapacity,
    targets: Map<RouteKey, number>,
  ): void {
    const isChanged = this.#follow(app, wanted, capacity);
    const policy = this.#policy;
    const scalers = [...this.#scalers.values()];
    const due = scalers.filter((scaler) => isChanged || scaler.isDue(at));
    for (const scaler of scalers) {
      if (!scaler.isCold || due.includes(scaler)) continue;
      scaler.sample(at);
      scaler.decide({ hold: 'no calls wait any more' }, targets);
    }
    if (due.length === 0) return;
    if (policy !== undefined) {
      this.#decideTogether(at, policy, targets);
      return;
    }
    for (const scaler of due) {
      scaler.sample(at);
      scaler.decide(scaler.ownWish(), targets);
    }
  }

  close(): void {
    for (const name of [...this.#scalers.keys()]) this.#remove(name);
  }

  /** @returns whether anything but the load changed */
  #follow(app: ScalableApp, wanted: readonly WantedDeployment[], capacity: TargetCapacity): boolean {
    let isChanged = app.autoscalingPolicy !== this.#policy;
    this.#policy = app.autoscalingPolicy;
    const left = new Set(this.#scalers.keys());
    for (const one of wanted) {
      const { name } = one.spec;
      const deployment = app.scalable(name);
      const { autoscaling } = one.scaling;
      if (deployment === undefined || autoscaling === undefined) continue;
      left.delete(name);
      const known = this.#scalers.get(name);
      if (known !== undefined && known.deployment === deployment) {
        if (known.follow(autoscaling, one.target, capacity)) isChanged = true;
        continue;
      }
      known?.close();
      isChanged = true;
      this.#scalers.set(name, new DeploymentScaler(one, deployment, autoscaling, capacity, this.#needs));
    }
    for (const name of left) this.#remove(name);
    if (isChanged) this.#warnOfTwoPolicies();
    return isChanged;
  }

  #decideTogether(at: number, policy: AppAutoscalingPolicy, targets: Map<RouteKey, number>): void {
    const contexts = new Map(
      [...this.#scalers].map(([name, scaler]) => {
        scaler.sample(at);
        return [name, scaler.context()] as const;
      }),
    );
    const wishFor = askAppPolicy(policy, contexts, this.#faults);
    for (const [name, scaler] of this.#scalers) scaler.decide(wishFor(name), targets);
  }

  #remove(name: string): void {
    this.#scalers.get(name)?.close();
    this.#scalers.delete(name);
  }

  #warnOfTwoPolicies(): void {
    const own = [...this.#scalers].filter(([, { policy }]) => policy !== undefined);
    this.#twoPolicies.check(
      this.#policy,
      own.map(([name]) => name),
    );
  }
}
