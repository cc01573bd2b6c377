import { readAppPolicyResult } from '../../controller/policy.ts';
import type { ScalingReport } from '../../controller/status.ts';
import type {
  AppAutoscalingPolicy,
  AutoscalingContext,
} from '../../deployment/options/autoscaling-policy.ts';
import type { ScalableDeployment } from '../deployments/running-deployment.ts';
import type { Environment } from '../environment.ts';
import { DeploymentScaler } from './deployment-scaler.ts';
import { FaultReports } from './fault-reports.ts';

/** The autoscaled deployments of one app. Its loop runs only while there are some. */
export class AppScaler {
  readonly #app: string;
  readonly #environment: Environment;
  readonly #faults: FaultReports;
  readonly #scalers = new Map<string, DeploymentScaler>();
  #policy: AppAutoscalingPolicy | undefined = undefined;
  #endLoop: (() => void) | undefined = undefined;
  #periodMs = 0;

  constructor(app: string, environment: Environment) {
    this.#app = app;
    this.#environment = environment;
    this.#faults = new FaultReports(app, undefined, environment);
  }

  /** The deployments of the app as they are now, and the policy for all of them. */
  follow(deployments: Iterable<ScalableDeployment>, policy: AppAutoscalingPolicy | undefined): void {
    this.#policy = policy;
    const left = new Set(this.#scalers.keys());
    for (const deployment of deployments) {
      const { name, options, source } = deployment.spec;
      if (options.autoscaling === undefined) continue;
      const config = { ...options.autoscaling, policy: source.policy };
      left.delete(name);
      const known = this.#scalers.get(name);
      if (known !== undefined) known.follow(config);
      else {
        const made = new DeploymentScaler(this.#app, deployment, config, this.#environment);
        this.#scalers.set(name, made);
      }
    }
    for (const name of left) this.#remove(name);
    this.#warnOfTwoPolicies();
    this.#runLoop();
    this.tick(this.#environment.clock.now(), true);
  }

  /** The last decision about a deployment. */
  report(deployment: string): ScalingReport | undefined {
    return this.#scalers.get(deployment)?.report;
  }

  /** @param isForced whether to sample what is not due as well */
  tick(at: number, isForced = false): void {
    const due = [...this.#scalers].filter(([, scaler]) => isForced || scaler.isDue(at));
    if (due.length === 0) return;
    const policy = this.#policy;
    if (policy === undefined) {
      for (const [, scaler] of due) {
        scaler.sample(at);
        scaler.decide(scaler.ownWish());
      }
    } else this.#decideTogether(at, policy);
  }

  /** The deployments of the app were stopped, or are about to be. */
  close(): void {
    this.#endLoop?.();
    this.#endLoop = undefined;
    for (const name of [...this.#scalers.keys()]) this.#remove(name);
  }

  #decideTogether(at: number, policy: AppAutoscalingPolicy): void {
    const contexts: Record<string, AutoscalingContext> = {};
    for (const [name, scaler] of this.#scalers) {
      scaler.sample(at);
      const context = scaler.context();
      if (context !== undefined) contexts[name] = context;
    }
    const wishes = this.#faults.attempt("the app's autoscaling policy", () =>
      readAppPolicyResult(policy(contexts), contexts),
    );
    const hold = wishes === undefined ? "the app's policy failed" : "the app's policy left it out";
    for (const [name, scaler] of this.#scalers) scaler.decide(wishes?.get(name) ?? { hold });
  }

  #remove(name: string): void {
    this.#scalers.get(name)?.close();
    this.#scalers.delete(name);
  }

  #warnOfTwoPolicies(): void {
    if (this.#policy === undefined) return;
    const own = [...this.#scalers].filter(([, { config }]) => config.policy !== undefined);
    if (own.length === 0) return;
    const deployments = own.map(([name]) => name);
    this.#environment.log.warn(
      { app: this.#app, deployments },
      "the app's autoscaling policy replaces theirs",
    );
  }

  /** As often as the most impatient of them wants. */
  #runLoop(): void {
    const periods = [...this.#scalers.values()].map(({ config }) => config.metricsIntervalMs);
    const periodMs = periods.length === 0 ? 0 : Math.min(...periods);
    if (periodMs === this.#periodMs && this.#endLoop !== undefined) return;
    this.#endLoop?.();
    this.#periodMs = periodMs;
    const { clock } = this.#environment;
    this.#endLoop = periodMs === 0 ? undefined : clock.every(periodMs, () => this.tick(clock.now()));
  }
}
