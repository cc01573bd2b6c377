import { baselineOf, faultOf } from '../../controller/roll-out.ts';
import type { TrialReport } from '../../controller/status.ts';
import type { CompiledApp } from '../../deployment/app-spec.ts';
import type { BoundDeployment } from '../../deployment/bound.ts';
import type { CompileOptions } from '../../deployment/compile-app.ts';
import { type DeploymentOptions, mergeOptions } from '../../deployment/options/deployment-options.ts';
import type { TrialKind } from '../../deployment/options/trial-options.ts';
import { invalidOption, ServeError } from '../../errors.ts';
import type { Counts } from '../../handle/call/counters.ts';
import { SHADOW_RESULTS, type ShadowResult } from '../../handle/call/counters.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import { unitHash } from '../../load/hash.ts';
import { NO_CALLS, type Tally, tallySince } from '../../load/replica-tally.ts';
import type { AppRuntime } from './app-runtime.ts';

/** What the trials need of the instance. */
export interface TrialHost {
  readonly registry: EndpointRegistry;
  app(name: string): AppRuntime | undefined;
  /** Deploys an app that is not exposed. */
  start(compiled: CompiledApp): Promise<void>;
  /** Goes over to another version of an app. */
  updateTo(app: AppRuntime, compiled: CompiledApp): Promise<void>;
  /** @param isPatient calls may take as long as their deadlines say */
  delete(name: string, isPatient: boolean): Promise<void>;
  compile(ingress: BoundDeployment<unknown>, name: string, options?: CompileOptions): CompiledApp;
  /** What was counted of the calls to a deployment. */
  counts(app: string, deployment: string): Readonly<Counts>;
  fault(app: string, error: ServeError): void;
}

interface Trial {
  readonly kind: TrialKind;
  readonly ingress: BoundDeployment<unknown>;
  /** The app that the new version runs as. */
  readonly as: string;
  isOn: boolean;
  /** What had been counted before. */
  readonly before: Readonly<Counts>;
  /** How the calls to the app's deployments had gone before it was on. */
  baseline: ReadonlyMap<string, Tally>;
}

/** New versions that are tried beside apps, each as an app of its own: `speech@canary`, `speech@shadow`. */
export class TrialController {
  readonly #host: TrialHost;
  readonly #trials = new Map<string, Trial>();

  constructor(host: TrialHost) {
    this.#host = host;
  }

  /**
   * Starts a trial, or changes the share of the one there is.
   * @returns once calls go there
   */
  async start(ingress: BoundDeployment<unknown>, name: string, kind: TrialKind): Promise<void> {
    const app = this.#host.app(name);
    if (app === undefined) {
      const message = `there is no app '${name}' to try a new version beside: deploy it first`;
      throw new ServeError('SERVE_NOT_FOUND', message, { app: name });
    }
    const as = 'canary' in kind ? `${name}@canary` : `${name}@shadow`;
    const compiled = this.#host.compile(ingress, as, { adjust: (_name, options) => adjusted(options, kind) });
    assertExchangeable(app.compiled, compiled);
    const known = this.#trials.get(name);
    if (known !== undefined && known.as !== as) await this.end(name);
    const counts = { ...this.#host.counts(name, app.serving.ingress) };
    const baseline = known?.baseline ?? new Map();
    const trial: Trial = {
      kind,
      ingress,
      as,
      isOn: known?.as === as && known.isOn,
      before: counts,
      baseline,
    };
    this.#trials.set(name, trial);
    try {
      await this.#host.start(compiled);
    } catch (error) {
      if (this.#trials.get(name) === trial && !trial.isOn) await this.end(name);
      throw error;
    }
    if (this.#trials.get(name) !== trial) {
      throw new ServeError('SERVE_UNAVAILABLE', `${as}: ended before it began`, { app: name });
    }
    if (!trial.isOn) trial.baseline = talliesOf(app);
    trial.isOn = true;
    this.#host.registry.setDetour(name, {
      kind: 'canary' in kind ? 'canary' : 'shadow',
      app: as,
      share: 'canary' in kind ? kind.canary : 1,
      seed: unitHash(compiled.spec.deployments.map(({ fingerprint }) => fingerprint).join()) * 2 ** 32,
    });
  }

  has(name: string): boolean {
    return this.#trials.has(name);
  }

  /** The app goes over to the version that was tried. If that fails, the trial goes on. */
  async promote(name: string): Promise<void> {
    const app = this.#host.app(name);
    const trial = this.#trials.get(name);
    if (trial === undefined || app === undefined)
      throw new ServeError('SERVE_NOT_FOUND', `app '${name}' has no canary and no shadow`, { app: name });
    const { revision } = app.compiled;
    await this.#host.updateTo(app, this.#host.compile(trial.ingress, name, { revision }));
    if (this.#trials.get(name) === trial) await this.end(name);
  }

  /** Ends a trial, if there is one: calls that it has are finished there, all others stay with the app. */
  async end(name: string): Promise<void> {
    const trial = this.#trials.get(name);
    if (trial === undefined) return;
    this.#trials.delete(name);
    this.#host.registry.setDetour(name, undefined);
    for (const deployment of this.#host.app(name)?.deployments.values() ?? []) deployment.ignore();
    await this.#host.delete(trial.as, true);
  }

  /** Takes canaries back that do worse than their apps. */
  tick(): void {
    for (const [name, trial] of this.#trials) {
      if (!trial.isOn || !('canary' in trial.kind)) continue;
      const fault = this.#faultOf(name, trial);
      if (fault === undefined) continue;
      const message = `${trial.as}: the canary is no good: ${fault}`;
      this.#host.fault(name, new ServeError('SERVE_DEPLOY_FAILED', message, { app: name }));
      this.end(name).catch(() => {});
    }
  }

  report(name: string): TrialReport | undefined {
    const trial = this.#trials.get(name);
    const app = this.#host.app(name);
    if (trial === undefined || app === undefined) return undefined;
    const { kind, as, isOn, before } = trial;
    if ('canary' in kind) return { kind: 'canary', app: as, isOn, share: kind.canary };
    const counts = this.#host.counts(name, app.serving.ingress);
    const since = (result: ShadowResult) =>
      (counts[`shadow_${result}`] ?? 0) - (before[`shadow_${result}`] ?? 0);
    const compared = Object.fromEntries(SHADOW_RESULTS.map((result) => [result, since(result)]));
    return { kind: 'shadow', app: as, isOn, compared: compared as Record<ShadowResult, number> };
  }

  /** Each deployment beside the one of its name: an ingress may hide from its callers what fails behind it. */
  #faultOf(name: string, { as, baseline }: Trial): string | undefined {
    const main = this.#host.app(name)?.deployments;
    for (const [deployment, fresh] of this.#host.app(as)?.deployments ?? []) {
      const { autoRollback, observeMs } = fresh.spec.options.rollout;
      if (!autoRollback || observeMs === 0) continue;
      const all = main?.get(deployment)?.observe() ?? NO_CALLS;
      const recent = tallySince(baseline.get(deployment) ?? NO_CALLS, all);
      const fault = faultOf(fresh.observe(), { ...baselineOf(recent, all), deaths: 0 }, true);
      if (fault !== undefined) return `${deployment}: ${fault}`;
    }
    return undefined;
  }
}

function talliesOf(app: AppRuntime): Map<string, Tally> {
  return new Map([...app.deployments].map(([name, deployment]) => [name, deployment.observe()]));
}

/** A canary has its share of the replicas; a copy of a call is never repeated. */
function adjusted(options: DeploymentOptions, kind: TrialKind): DeploymentOptions {
  if ('shadow' in kind) {
    const { hedge: _, ...rest } = options;
    return { ...rest, idempotent: false };
  }
  const { numReplicas, autoscaling } = options;
  const part = (replicas: number): number => Math.ceil(replicas * kind.canary);
  if (typeof numReplicas === 'number')
    return mergeOptions(options, { numReplicas: Math.max(1, part(numReplicas)) });
  if (autoscaling?.minReplicas === undefined) return options;
  const { initialReplicas, ...rest } = autoscaling;
  return mergeOptions(options, {
    autoscaling: {
      ...rest,
      minReplicas: part(autoscaling.minReplicas),
      ...(initialReplicas !== undefined && { initialReplicas: part(initialReplicas) }),
    },
  });
}

/** A call that was made ready for one ingress is sent to the other. */
function assertExchangeable(app: CompiledApp, trial: CompiledApp): void {
  const isolation = isolationOf(app);
  if (isolation === isolationOf(trial)) return;
  throw invalidOption(
    `${trial.spec.ingress}: isolation`,
    isolationOf(trial),
    `'${isolation}', as the ingress has that it is tried beside`,
  );
}

function isolationOf({ spec }: CompiledApp): string | undefined {
  return spec.deployments.find(({ name }) => name === spec.ingress)?.options.isolation;
}
