import { isDeepStrictEqual } from 'node:util';
import type { TrialObserver } from '../../controller/loop.ts';
import { baselineOf, faultOf } from '../../controller/roll-out.ts';
import type { TrialReport } from '../../controller/status.ts';
import type { CompiledApp } from '../../deployment/app-spec.ts';
import type { BoundDeployment } from '../../deployment/bound.ts';
import { type DeploymentOptions, mergeOptions } from '../../deployment/options/deployment-options.ts';
import type { TrialKind } from '../../deployment/options/trial-options.ts';
import { invalidOption, ServeError } from '../../errors.ts';
import type { Counts } from '../../handle/call/counters.ts';
import { SHADOW_RESULTS, type ShadowResult } from '../../handle/call/counters.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { TrafficSplitConfig } from '../../handle/routing/traffic-split.ts';
import { unitHash } from '../../load/hash.ts';
import { NO_CALLS, type Tally, tallySince } from '../../load/replica-tally.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import { entryOf, type Plan, type Snapshot } from '../../store/snapshot.ts';
import type { InstanceControl } from '../control.ts';
import type { Deployer } from '../deployer.ts';
import type { Apps } from './app-registry.ts';
import type { AppRuntime } from './app-runtime.ts';
import { trialName } from './trial-name.ts';

interface Trial {
  readonly kind: TrialKind;
  readonly ingress: BoundDeployment<unknown>;
  /** Name of the app as which the new version runs. */
  readonly as: string;
  /** Whether the currently wanted version can take calls. */
  isReady: boolean;
  /** Counts of the calls before the trial. */
  readonly before: Readonly<Counts>;
  /** Outcomes of the calls to the app's deployments before the trial received calls. */
  baseline: ReadonlyMap<string, Tally>;
  /** Resolves when the new version is gone. */
  readonly over: PromiseWithResolvers<void>;
}

export interface TrialControllerOptions {
  readonly apps: Apps;
  readonly deployer: Deployer;
  readonly control: InstanceControl;
  readonly registry: EndpointRegistry;
  readonly events: Events;
  readonly log: Logger;
  /** Counts of the calls to a deployment. */
  counts(app: string, deployment: string): Readonly<Counts>;
}

/**
 * Versions on trial beside apps, each as an app of its own: `speech@canary`, `speech@shadow`. The desired state says which
 * versions are on trial, and the plan whether they receive calls; this class runs the apps and informs callers.
 */
export class TrialController implements TrialObserver {
  readonly #options: TrialControllerOptions;
  readonly #apps: Apps;
  readonly #deployer: Deployer;
  readonly #control: InstanceControl;
  readonly #trials = new Map<string, Trial>();
  /** The shares that callers know. */
  #shares: Plan['shares'] = {};
  /** Trials of the fleet, whose versions may run on other instances only. */
  #fleetShares: Plan['shares'] = {};

  constructor(options: TrialControllerOptions) {
    this.#options = options;
    this.#apps = options.apps;
    this.#deployer = options.deployer;
    this.#control = options.control;
  }

  /**
   * Starts a trial, or changes the share of the running one.
   * @returns once the trial receives calls
   */
  async start(ingress: BoundDeployment<unknown>, name: string, kind: TrialKind): Promise<void> {
    const app = this.#apps.get(name);
    if (app === undefined) {
      const message = `there is no app '${name}' to try a new version beside: deploy it first`;
      throw new ServeError('SERVE_NOT_FOUND', message, { app: name });
    }
    const as = trialName(name, 'canary' in kind ? 'canary' : 'shadow');
    const compiled = this.#deployer.compile(ingress, as, {
      adjust: (_name, options) => adjusted(options, kind),
    });
    assertExchangeable(app.compiled, compiled);
    const seed = seedOf(compiled);
    const verdict = await this.#control.fleet?.verdictOn(as, seed);
    if (verdict !== undefined) return this.#obey(verdict, ingress, app, as);
    const known = this.#trials.get(name);
    if (known !== undefined && known.as !== as) await this.closeTrial(name);
    const trial: Trial = {
      kind,
      ingress,
      as,
      isReady: false,
      before: { ...this.#options.counts(name, app.serving.ingress) },
      baseline: known?.baseline ?? new Map(),
      over: known?.as === as ? known.over : Promise.withResolvers(),
    };
    this.#trials.set(name, trial);
    await this.#control.override({ type: 'trial', app: name, trial: wantedTrial(trial, compiled) });
    try {
      await this.#deployer.startTrial(compiled);
      if (this.#trials.get(name) !== trial)
        throw new ServeError('SERVE_UNAVAILABLE', `${as}: superseded before it started`, { app: name });
    } catch (error) {
      if (this.#trials.get(name) === trial) {
        if (!this.#isOn(name, trial)) await this.closeTrial(name);
        throw error;
      }
      // The fleet may have promoted the version, or rolled it back, while it started here.
      if ((await this.#control.fleet?.verdictOn(as, seed)) === undefined) throw error;
      return trial.over.promise;
    }
    if (!this.#isOn(name, trial)) trial.baseline = talliesOf(app);
    trial.isReady = true;
    this.#control.wake();
  }

  has(name: string): boolean {
    return this.#trials.has(name);
  }

  /** The trial that runs here beside an app, as plain data. */
  splitOf(name: string): TrafficSplitConfig | undefined {
    return this.#trials.has(name) ? entryOf(this.#control.snapshot.overrides.trials, name) : undefined;
  }

  /** Skips a trial that the fleet has ended already; the code of a restarted instance begins it again. */
  async #obey(
    verdict: 'promoted' | 'rolled back',
    ingress: BoundDeployment<unknown>,
    app: AppRuntime,
    as: string,
  ): Promise<void> {
    this.#options.log.info({ app: app.name }, `${as}: the fleet has ${verdict} this version already`);
    if (verdict === 'rolled back') return;
    const { revision } = app.compiled;
    await this.#deployer.updateTo(app, this.#deployer.compile(ingress, app.name, { revision }));
  }

  /** Updates the app to the version on trial. If the update fails, the trial continues. */
  async promote(name: string): Promise<void> {
    const app = this.#apps.get(name);
    const trial = this.#trials.get(name);
    if (trial === undefined || app === undefined)
      throw new ServeError('SERVE_NOT_FOUND', `app '${name}' has no canary and no shadow`, { app: name });
    const { revision } = app.compiled;
    await this.#deployer.updateTo(app, this.#deployer.compile(trial.ingress, name, { revision }));
    if (this.#trials.get(name) === trial) await this.closeTrial(name);
  }

  /** Ends a trial, if one runs: its calls finish there, all others stay with the app. */
  async closeTrial(name: string): Promise<void> {
    const trial = this.#trials.get(name);
    if (trial === undefined) return;
    await this.#control.override({ type: 'trial', app: name, trial: undefined });
    await trial.over.promise;
  }

  /** Informs callers of the plan, and takes down ended trials. */
  follow({ overrides, plan }: Snapshot): void {
    this.#tellShares(plan);
    for (const [name, trial] of this.#trials) {
      const isWanted = entryOf(overrides.trials, name)?.app === trial.as;
      if (!isWanted && entryOf(plan.shares, name)?.app !== trial.as) this.#takeDown(name, trial);
    }
  }

  /** Diverts calls that enter here to versions on trial that only other instances have. */
  followFleet(shares: Plan['shares']): void {
    if (isDeepStrictEqual(shares, this.#fleetShares)) return;
    this.#fleetShares = shares;
    this.#tellShares(this.#control.snapshot.plan);
  }

  #tellShares({ shares: own }: Plan): void {
    const before = this.#shares;
    const foreign = Object.entries(this.#fleetShares).filter(([name]) => !this.#trials.has(name));
    this.#shares = { ...Object.fromEntries(foreign), ...own };
    for (const name of new Set([...Object.keys(before), ...Object.keys(this.#shares)])) {
      const share = entryOf(this.#shares, name);
      if (!isDeepStrictEqual(share, entryOf(before, name))) this.#options.registry.setSplit(name, share);
    }
  }

  isReady(name: string): boolean {
    return this.#trials.get(name)?.isReady === true;
  }

  failed(app: string, fault: string): void {
    const { log, events } = this.#options;
    const message = `${this.#trials.get(app)?.as}: canary rolled back: ${fault}`;
    const error = new ServeError('SERVE_DEPLOY_FAILED', message, { app });
    log.error({ app, err: error }, error.message);
    events.emit('fault', { app, reason: 'canary', error });
    const split = this.splitOf(app);
    if (split === undefined) return;
    const { app: as, seed } = split;
    this.#control.fleet
      ?.order({ kind: 'verdict', app: as, seed, isPromoted: false })
      .catch((err: unknown) => log.error({ app, err }, `${as}: the fleet could not be told to roll it back`));
  }

  report(name: string): TrialReport | undefined {
    const trial = this.#trials.get(name);
    const app = this.#apps.get(name);
    if (trial === undefined || app === undefined) return undefined;
    const { kind, as, before } = trial;
    const isOn = this.#isOn(name, trial);
    if ('canary' in kind) return { kind: 'canary', app: as, isOn, share: kind.canary };
    const counts = this.#options.counts(name, app.serving.ingress);
    const since = (result: ShadowResult) =>
      (counts[`shadow_${result}`] ?? 0) - (before[`shadow_${result}`] ?? 0);
    const compared = Object.fromEntries(SHADOW_RESULTS.map((result) => [result, since(result)]));
    return { kind: 'shadow', app: as, isOn, compared: compared as Record<ShadowResult, number> };
  }

  /** Compares each deployment with its namesake: an ingress may hide failures behind it from its callers. */
  faultOf(name: string): string | undefined {
    const trial = this.#trials.get(name);
    if (trial === undefined) return undefined;
    const { as, baseline } = trial;
    const main = this.#apps.get(name)?.deployments;
    for (const [deployment, fresh] of this.#apps.get(as)?.deployments ?? []) {
      const { autoRollback, observeMs } = fresh.spec.options.rollout;
      if (!autoRollback || observeMs === 0) continue;
      const all = main?.get(deployment)?.observe() ?? NO_CALLS;
      const recent = tallySince(baseline.get(deployment) ?? NO_CALLS, all);
      const fault = faultOf(fresh.observe(), { ...baselineOf(recent, all), deaths: 0 }, true);
      if (fault !== undefined) return `${deployment}: ${fault}`;
    }
    return undefined;
  }

  /** Whether the trial receives calls. */
  #isOn(name: string, { as }: Trial): boolean {
    return entryOf(this.#shares, name)?.app === as;
  }

  #takeDown(name: string, { as, over }: Trial): void {
    this.#trials.delete(name);
    for (const deployment of this.#apps.get(name)?.deployments.values() ?? []) deployment.ignore();
    over.resolve(this.#deployer.remove(as, undefined, true));
    // The caller that ended the trial receives the failure.
    over.promise.catch(() => {});
  }
}

/** The trial as plain data. */
function wantedTrial({ kind, as }: Trial, { spec }: CompiledApp): TrafficSplitConfig {
  const seed = seedOf({ spec });
  return 'canary' in kind
    ? { kind: 'canary', app: as, share: kind.canary, seed }
    : { kind: 'shadow', app: as, share: 1, seed };
}

/** Identity of a version on trial. */
function seedOf({ spec }: Pick<CompiledApp, 'spec'>): number {
  return unitHash(spec.deployments.map(({ fingerprint }) => fingerprint).join()) * 2 ** 32;
}

function talliesOf(app: AppRuntime): Map<string, Tally> {
  return new Map([...app.deployments].map(([name, deployment]) => [name, deployment.observe()]));
}

/** A canary gets its share of the replicas; a copied call is never repeated. */
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

/** A call prepared for one ingress is sent to the other. */
function assertExchangeable(app: CompiledApp, trial: CompiledApp): void {
  const isolation = isolationOf(app);
  if (isolation === isolationOf(trial)) return;
  throw invalidOption(
    `${trial.spec.ingress}: isolation`,
    isolationOf(trial),
    `'${isolation}', the isolation of the app's ingress`,
  );
}

function isolationOf({ spec }: CompiledApp): string | undefined {
  return spec.deployments.find(({ name }) => name === spec.ingress)?.options.isolation;
}
