import { ControllerLoop, type DecidedTargets } from '../controller/loop.ts';
import type { AppReport } from '../controller/status.ts';
import type { BoundDeployment } from '../deployment/bound.ts';
import { prepareArguments } from '../deployment/compile-app.ts';
import type { TrialKind } from '../deployment/options/trial-options.ts';
import type { Counts } from '../handle/call/counters.ts';
import { routeKey } from '../handle/routing/directory.ts';
import type { Router } from '../handle/routing/router.ts';
import type { HttpCounts } from '../observe/http-counts.ts';
import type { Scale } from '../store/snapshot.ts';
import type { Store } from '../store/store.ts';
import { inRootContext } from '../time/root-context.ts';
import { Apps } from './apps/app-registry.ts';
import { ConfiguredApps } from './apps/configured-apps.ts';
import type { DevReload } from './apps/dev-reload.ts';
import { TrialController } from './apps/trial-controller.ts';
import { triedApp } from './apps/trial-name.ts';
import { InstanceControl, OWN_TOKEN } from './control.ts';
import { Deployer } from './deployer.ts';
import { DeploymentFactory, type DeploymentFactoryOptions } from './deployments/deployment-factory.ts';
import type { OrderedActions } from './fleet/fleet-orders.ts';
import { Autoscaler } from './scaling/autoscaler.ts';
import type { ScalingNeeds } from './scaling/scalable-app.ts';
import { scaleDeployment } from './scaling/scale-deployment.ts';

export interface ControlPlaneOptions extends Omit<DeploymentFactoryOptions, 'control'> {
  readonly store: Store;
  /** Set in a fleet. */
  readonly decided?: DecidedTargets | undefined;
  readonly dev: DevReload | undefined;
  readonly router: Router;
  readonly httpCounts: HttpCounts;
  /** Part of every deployment's version. */
  readonly version: string;
  /** Whether all deployments run on the caller's own event loop. */
  readonly isInline: boolean;
  /** Counts of the calls to a deployment. */
  counts(app: string, deployment: string): Readonly<Counts>;
  /** Called before the first app starts. */
  begin(): void;
}

/**
 * The apps of an instance and all parts that decide about them: the store, the controller's loop, and the code that carries
 * out its plan. Threads, callers and guards belong to the instance; a simulation brings its own.
 */
export class ControlPlane {
  readonly apps: Apps = new Apps();
  readonly deployer: Deployer;
  readonly control: InstanceControl;
  readonly #scaling: ScalingNeeds;
  readonly #autoscaler: Autoscaler;
  readonly #trials: TrialController;
  readonly #configured: ConfiguredApps;
  readonly #loop: ControllerLoop;
  readonly #unwatch: () => void;

  constructor(options: ControlPlaneOptions) {
    const { apps } = this;
    const { store, instanceId, clock, log, resources } = options;
    const control = new InstanceControl(instanceId, store, () => inRootContext(() => this.#loop.wake()));
    this.control = control;
    const parts = { ...options, apps, control };
    this.#scaling = parts;
    this.deployer = new Deployer({ ...parts, deployments: new DeploymentFactory(parts) });
    this.#trials = new TrialController({ ...parts, deployer: this.deployer });
    this.#configured = new ConfiguredApps(apps, this.deployer, control, (name) => this.delete(name));
    this.#autoscaler = new Autoscaler((name) => apps.get(name), parts);
    this.#loop = new ControllerLoop({
      store,
      token: OWN_TOKEN,
      clock,
      autoscaling: this.#autoscaler,
      trials: this.#trials,
      instances: {
        isRunning: (key) => apps.runs(key),
        space: (_instance, key) => resources.space(key),
      },
      decided: options.decided,
      onRefused: (err) => log.warn({ err }, 'plan rejected by the store; the next pass makes a new plan'),
    });
    this.#unwatch = store.watch((snapshot) => {
      for (const app of apps) app.followPlan();
      this.#trials.follow(snapshot);
    });
  }

  /** Makes the controller decide at once. */
  wake(): void {
    inRootContext(() => this.#loop.wake());
  }

  /** Applies a config: deploys, updates and deletes apps as it says. */
  configure(config: unknown): Promise<void> {
    this.deployer.assertOpen();
    return this.#configured.deploy(config);
  }

  /** Sets the number of replicas of a deployment, or the bounds of it. */
  async scale(app: string, deployment: string, scale: Scale): Promise<void> {
    this.deployer.assertOpen();
    const { fleet } = this.control;
    if (!this.apps.has(app) && fleet?.isInFleet(app, deployment) === true)
      return fleet.order({ kind: 'scale', deployment: routeKey(app, deployment), scale });
    await scaleDeployment(this.apps.existing(app), deployment, scale, this.#scaling);
  }

  /** Tries a new version beside an app. */
  async startTrial(ingress: BoundDeployment<unknown>, name: string, kind: TrialKind): Promise<void> {
    this.deployer.assertOpen();
    await prepareArguments(ingress);
    await this.#trials.start(ingress, name, kind);
  }

  /** Updates the app to the version on trial. */
  async promote(name: string): Promise<void> {
    const trial = this.#trialOf(name);
    if (trial === undefined) await this.#trials.promote(name);
    else await this.control.fleet?.order({ kind: 'verdict', ...trial, isPromoted: true });
  }

  /** Ends the trial beside an app, else rolls the app back to the version before its last update. */
  async rollBack(name: string): Promise<void> {
    const { fleet } = this.control;
    const trial = this.#trialOf(name);
    if (fleet !== undefined && trial !== undefined)
      return fleet.order({ kind: 'verdict', ...trial, isPromoted: false });
    if (this.#trials.has(name)) return this.#trials.closeTrial(name);
    if (fleet?.isInFleet(name) !== true) this.apps.existing(name);
    // Other instances may have an earlier version also where this one has none, or not even the app.
    const isHere = this.apps.get(name)?.previous !== undefined;
    if (fleet !== undefined && (isHere || (await fleet.mayGoBack(name))))
      return fleet.order({ kind: 'rollback', app: name });
    await this.deployer.goBack(name);
  }

  /** Drains and stops an app together with its trial, or only the trial if that is named (`speech@canary`). */
  async delete(name: string, timeoutMs?: number): Promise<void> {
    const main = triedApp(name);
    if (main !== undefined && this.#trials.has(main)) return this.#trials.closeTrial(main);
    await Promise.all([this.deployer.remove(name, timeoutMs), this.#trials.closeTrial(name)]);
  }

  /** The actions by which this instance carries out orders of the fleet. */
  get orderedActions(): OrderedActions {
    const { apps, deployer } = this;
    const trials = this.#trials;
    return {
      *apps() {
        for (const { name, spec } of apps) yield [name, spec.deployments.map((one) => one.name)];
      },
      readjust: (app) => deployer.readjust(app),
      trialOf: (app) => trials.splitOf(app),
      promote: (app) => trials.promote(app),
      closeTrial: (app) => trials.closeTrial(app),
      goBack: async (app) => {
        if (apps.get(app)?.previous !== undefined) await deployer.goBack(app);
      },
      deleteApp: (app) => this.delete(app),
      followTrials: (shares) => trials.followFleet(shares),
    };
  }

  /** The version on trial beside an app of a fleet. */
  #trialOf(name: string): { readonly app: string; readonly seed: number } | undefined {
    const { fleet } = this.control;
    const trial = fleet && (this.#trials.splitOf(name) ?? fleet.trialOf(name));
    return trial && { app: trial.app, seed: trial.seed };
  }

  report(): Record<string, AppReport> {
    return Object.fromEntries(
      [...this.apps].map((app) => {
        const { name } = app;
        const trial = this.#trials.report(name);
        const { fleet } = this.control;
        const report = app.report(
          (deployment) =>
            fleet?.scalingOf(routeKey(name, deployment)) ?? this.#autoscaler.report(name, deployment),
        );
        return [name, { ...report, ...(trial && { trial }) }];
      }),
    );
  }

  /** Makes every deployment carry out its part of the plan. Called every 250 ms. */
  tick(at: number): void {
    for (const app of this.apps) app.tick(at);
  }

  /** Drains all apps, and makes no more decisions. */
  async close(timeoutMs: number | undefined): Promise<void> {
    this.deployer.close();
    // All apps drain at once and within the limit, which a trial alone would not respect: a trial ends patiently.
    for (const app of this.apps) void app.delete(timeoutMs);
    await Promise.all([...this.apps].map(({ name }) => this.delete(name, timeoutMs)));
    this.#loop.close();
    this.#autoscaler.close();
    this.#unwatch();
  }
}
