import type { DeclaredDeployment } from '../../cluster/documents.ts';
import type { Consultation } from '../../cluster/node/events.ts';
import { isColdStart, loadThatCounts, type Wish } from '../../controller/autoscale.ts';
import { keepMs } from '../../controller/load-scaler.ts';
import { LoadWindow } from '../../controller/load-window.ts';
import { readAppPolicyResult, readPolicyResult, type Wanted } from '../../controller/policy.ts';
import type { AutoscalingContext } from '../../deployment/options/autoscaling-policy.ts';
import { namesOf, type RouteKey } from '../../handle/routing/directory.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import type { AppRuntime } from '../apps/app-runtime.ts';
import { FaultReports } from '../scaling/fault-reports.ts';

/** What an instance remembers of a deployment that its policy decides about. */
interface Asked {
  state: unknown;
  target: number;
  lastUp: number | undefined;
  lastDown: number | undefined;
  /** Reported values by name and replica. */
  readonly windows: Map<string, Map<string, LoadWindow>>;
}

export interface FleetPoliciesOptions {
  readonly events: Events;
  readonly log: Logger;
  apps(): Iterable<AppRuntime>;
}

/** Asks the autoscaling policies of apps about the load of the whole fleet, while this instance leads. */
export class FleetPolicies {
  readonly #options: FleetPoliciesOptions;
  readonly #asked = new Map<string, Asked>();
  readonly #faults = new Map<string, FaultReports>();

  constructor(options: FleetPoliciesOptions) {
    this.#options = options;
  }

  /** The policy that decides the number of replicas of a deployment in place of the load. */
  kindOf(app: string, deployment: string): DeclaredDeployment['policy'] {
    const runtime = this.#app(app);
    if (runtime?.autoscalingPolicy !== undefined) return 'app';
    return runtime?.scalable(deployment)?.spec.source.policy && 'own';
  }

  ask(consultations: readonly Consultation[]): Record<string, Wish> {
    const wishes: Record<string, Wish> = {};
    for (const [app, own] of Map.groupBy(consultations, ({ deployment }) => appOf(deployment))) {
      const contexts = new Map(own.map((one) => [one.deployment, this.#contextOf(app, one)]));
      const wanted = this.#wanted(app, contexts);
      for (const [key] of contexts) {
        const one = wanted.get(key);
        if (one !== undefined) this.#remember(key, one);
        wishes[key] = one?.replicas ?? { hold: 'the policy failed, or said nothing about the deployment' };
      }
    }
    for (const key of this.#asked.keys())
      if (!consultations.some(({ deployment }) => deployment === key)) this.#asked.delete(key);
    return wishes;
  }

  #wanted(app: string, contexts: ReadonlyMap<string, AutoscalingContext>): Map<string, Wanted> {
    const runtime = this.#app(app);
    const together = runtime?.autoscalingPolicy;
    const wanted = new Map<string, Wanted>();
    if (together !== undefined) {
      const byName = Object.fromEntries([...contexts.values()].map((one) => [one.deploymentName, one]));
      const all = this.#faultsOf(app, undefined).attempt("the app's autoscaling policy", () =>
        readAppPolicyResult(together(byName), byName),
      );
      for (const [key, { deploymentName }] of contexts) {
        const one = all?.get(deploymentName);
        if (one !== undefined) wanted.set(key, one);
      }
      return wanted;
    }
    for (const [key, context] of contexts) {
      const { deploymentName: name, policyState } = context;
      const policy = runtime?.scalable(name)?.spec.source.policy;
      if (policy === undefined) continue;
      const one = this.#faultsOf(app, name).attempt('autoscaling policy', () =>
        readPolicyResult(policy(context), policyState),
      );
      if (one !== undefined) wanted.set(key, one);
    }
    return wanted;
  }

  #contextOf(appName: string, consultation: Consultation): AutoscalingContext {
    const { deployment, config, target, inputs, replicas } = consultation;
    const [, deploymentName] = namesOf(deployment as RouteKey);
    const currentTime = Date.now();
    const asked = this.#askedOf(deployment, target, currentTime);
    record(asked, consultation);
    const { at, running, queued, ongoing, bounds } = inputs;
    return {
      appName,
      deploymentName,
      currentNumReplicas: running,
      targetNumReplicas: target,
      runningReplicas: Object.keys(replicas),
      totalNumRequests: isColdStart(inputs) ? queued : loadThatCounts(config, inputs),
      totalQueuedRequests: queued,
      totalRunningRequests: ongoing,
      ...metricsOf(asked, at, config.lookBackPeriodMs, (time) => Math.round(currentTime + time - at)),
      capacityAdjustedMinReplicas: bounds.min,
      capacityAdjustedMaxReplicas: bounds.max,
      policyState: asked.state,
      lastScaleUpTime: asked.lastUp,
      lastScaleDownTime: asked.lastDown,
      currentTime,
      config,
    };
  }

  /** The target is as the fleet decided since the last question. */
  #askedOf(key: string, target: number, time: number): Asked {
    let asked = this.#asked.get(key);
    if (asked === undefined) {
      asked = { state: undefined, target, lastUp: undefined, lastDown: undefined, windows: new Map() };
      this.#asked.set(key, asked);
    }
    if (target > asked.target) asked.lastUp = time;
    if (target < asked.target) asked.lastDown = time;
    asked.target = target;
    return asked;
  }

  #remember(key: string, { state }: Wanted): void {
    const asked = this.#asked.get(key);
    if (asked !== undefined) asked.state = state;
  }

  #faultsOf(app: string, deployment: string | undefined): FaultReports {
    const name = `${app}/${deployment ?? ''}`;
    const known = this.#faults.get(name);
    if (known !== undefined) return known;
    const made = new FaultReports(app, deployment, this.#options.events, this.#options.log);
    this.#faults.set(name, made);
    return made;
  }

  #app(name: string): AppRuntime | undefined {
    for (const app of this.#options.apps()) if (app.name === name) return app;
    return undefined;
  }
}

function appOf(key: string): string {
  return namesOf(key as RouteKey)[0];
}

function record(asked: Asked, { replicas, inputs, config }: Consultation): void {
  for (const [name, windows] of asked.windows) {
    for (const replica of windows.keys())
      if (replicas[replica]?.[name] === undefined) windows.delete(replica);
    if (windows.size === 0) asked.windows.delete(name);
  }
  for (const [replica, values] of Object.entries(replicas)) {
    for (const [name, value] of Object.entries(values)) {
      const windows = asked.windows.get(name) ?? new Map<string, LoadWindow>();
      asked.windows.set(name, windows);
      const window = windows.get(replica) ?? new LoadWindow(keepMs(config));
      windows.set(replica, window);
      window.record(inputs.at, value);
    }
  }
}

function metricsOf(
  { windows }: Asked,
  at: number,
  periodMs: number,
  toTimestamp: (at: number) => number,
): Pick<AutoscalingContext, 'aggregatedMetrics' | 'rawMetrics'> {
  const aggregated = [...windows].map(([name, byReplica]) => {
    const means = [...byReplica].map(([replica, window]) => [replica, window.mean(at, periodMs)] as const);
    return [name, Object.fromEntries(means)] as const;
  });
  const raw = [...windows].map(([name, byReplica]) => {
    const values = [...byReplica].map(([replica, { samples }]) => {
      const timed = samples.map((sample) => ({ at: toTimestamp(sample.at), value: sample.value }));
      return [replica, timed] as const;
    });
    return [name, Object.fromEntries(values)] as const;
  });
  return { aggregatedMetrics: Object.fromEntries(aggregated), rawMetrics: Object.fromEntries(raw) };
}
