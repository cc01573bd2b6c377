import type { DeclaredDeployment } from '../../cluster/documents.ts';
import type { Consultation } from '../../cluster/node/events.ts';
import type { Wish } from '../../controller/autoscale.ts';
import type { Wanted } from '../../controller/policy.ts';
import type { AutoscalingPolicy } from '../../deployment/options/autoscaling-policy.ts';
import { namesOf, type RouteKey, routeKey } from '../../handle/routing/directory.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import type { AppRuntime } from '../apps/app-runtime.ts';
import { askAppPolicy, askPolicy, type Hold } from '../scaling/ask-policies.ts';
import { FaultReports } from '../scaling/fault-reports.ts';
import { TwoPolicies } from '../scaling/two-policies.ts';
import { ConsultedDeployment } from './consulted-deployment.ts';

/** The parts of an app that its policies belong to. */
export interface AppWithPolicies extends Pick<AppRuntime, 'name' | 'autoscalingPolicy'> {
  scalable(deployment: string): DeploymentWithPolicy | undefined;
}

interface DeploymentWithPolicy {
  readonly spec: { readonly source: { readonly policy?: AutoscalingPolicy | undefined } };
}

export interface FleetPoliciesOptions {
  readonly events: Events;
  readonly log: Logger;
  apps(): Iterable<AppWithPolicies>;
}

/** Asks the autoscaling policies of apps about the load of the whole fleet, while this instance leads. */
export class FleetPolicies {
  readonly #options: FleetPoliciesOptions;
  readonly #consulted = new Map<string, ConsultedApp>();

  constructor(options: FleetPoliciesOptions) {
    this.#options = options;
  }

  /** Which policy, if any, decides about a deployment in place of the load. */
  kindOf(app: string, deployment: string): DeclaredDeployment['policy'] {
    const known = this.#app(app);
    if (known?.autoscalingPolicy !== undefined) return 'app';
    return known?.scalable(deployment)?.spec.source.policy && 'own';
  }

  ask(consultations: readonly Consultation[]): Record<string, Wish> {
    const byApp = Map.groupBy(consultations, ({ deployment }) => namesOf(deployment as RouteKey)[0]);
    for (const name of this.#consulted.keys()) if (!byApp.has(name)) this.#consulted.delete(name);
    const wishes: Record<string, Wish> = {};
    for (const [name, own] of byApp) {
      const consulted = this.#consulted.get(name) ?? new ConsultedApp(name, this.#options);
      this.#consulted.set(name, consulted);
      Object.assign(wishes, consulted.ask(this.#app(name), own, Date.now()));
    }
    return wishes;
  }

  #app(name: string): AppWithPolicies | undefined {
    for (const app of this.#options.apps()) if (app.name === name) return app;
    return undefined;
  }
}

/** An app whose policies the leader of the fleet consults. */
class ConsultedApp {
  readonly #name: string;
  readonly #options: Pick<FleetPoliciesOptions, 'events' | 'log'>;
  readonly #faults: FaultReports;
  readonly #twoPolicies: TwoPolicies;
  readonly #deployments = new Map<string, ConsultedDeployment>();

  constructor(name: string, options: Pick<FleetPoliciesOptions, 'events' | 'log'>) {
    this.#name = name;
    this.#options = options;
    this.#faults = new FaultReports(name, undefined, options.events, options.log);
    this.#twoPolicies = new TwoPolicies(name, options.log);
  }

  /**
   * @param app undefined if this instance does not run it
   * @returns wishes by deployment key
   */
  ask(
    app: AppWithPolicies | undefined,
    consultations: readonly Consultation[],
    currentTime: number,
  ): Record<string, Wish> {
    const named = consultations.map(({ deployment }) => namesOf(deployment as RouteKey)[1]);
    for (const name of this.#deployments.keys()) if (!named.includes(name)) this.#deployments.delete(name);
    for (const one of consultations) this.#follow(one, currentTime);
    const wishFor = this.#wishes(app, currentTime);
    return Object.fromEntries(
      [...this.#deployments].map(([name, deployment]) => [
        routeKey(this.#name, name),
        deployment.remember(wishFor(name)),
      ]),
    );
  }

  #wishes(app: AppWithPolicies | undefined, currentTime: number): (deployment: string) => Wanted | Hold {
    const contexts = new Map(
      [...this.#deployments].map(([name, deployment]) => [name, deployment.context(currentTime)]),
    );
    const policyOf = (name: string) => app?.scalable(name)?.spec.source.policy;
    const together = app?.autoscalingPolicy;
    this.#twoPolicies.check(
      together,
      [...contexts.keys()].filter((name) => policyOf(name) !== undefined),
    );
    if (together !== undefined) return askAppPolicy(together, contexts, this.#faults);
    return (name) => {
      const [policy, faults] = [policyOf(name), this.#deployments.get(name)?.faults];
      if (policy === undefined || faults === undefined)
        return { hold: 'the leader does not have the policy' };
      return askPolicy(policy, contexts.get(name), faults);
    };
  }

  #follow(consultation: Consultation, currentTime: number): void {
    const [, name] = namesOf(consultation.deployment as RouteKey);
    const known = this.#deployments.get(name);
    if (known !== undefined) {
      known.follow(consultation, currentTime);
      return;
    }
    const { events, log } = this.#options;
    const faults = new FaultReports(this.#name, name, events, log);
    this.#deployments.set(name, new ConsultedDeployment(consultation, faults));
  }
}
