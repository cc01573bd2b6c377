import { namesCount } from '../../cluster/node/overrides.ts';
import { nextCapacity } from '../../controller/target-capacity.ts';
import { type AppConfig, loadApp, overridesOf, parseServeConfig } from '../../deployment/app-config.ts';
import type { BoundDeployment } from '../../deployment/bound.ts';
import { type CompileOptions, prepareArguments } from '../../deployment/compile-app.ts';
import { invalidOption } from '../../errors.ts';
import { routeKey } from '../../handle/routing/directory.ts';
import type { InstanceControl } from '../control.ts';
import type { Deployer } from '../deployer.ts';
import type { Apps } from './app-registry.ts';
import { type SharedOptions, sharedOptions } from './shared-options.ts';

type Adjust = NonNullable<CompileOptions['adjust']>;

interface Planned {
  readonly name: string;
  readonly routePrefix: string | null;
  readonly ingress: BoundDeployment<unknown>;
  readonly adjust: Adjust;
  /** Deployments whose numbers of replicas the config sets. */
  readonly counted: readonly string[];
  /** Options by deployment, as the whole fleet gets them; empty outside a fleet. */
  readonly shared: ReadonlyMap<string, SharedOptions>;
}

/** The apps of the last config: those that the next config leaves out are deleted. */
export class ConfiguredApps {
  readonly #apps: Apps;
  readonly #deployer: Deployer;
  readonly #control: InstanceControl;
  readonly #delete: (name: string) => Promise<void>;
  readonly #names = new Set<string>();
  /** Configs are loaded one after another; the last one wins. */
  #loading: Promise<unknown> = Promise.resolve();

  constructor(
    apps: Apps,
    deployer: Deployer,
    control: InstanceControl,
    deleteApp: (name: string) => Promise<void>,
  ) {
    this.#apps = apps;
    this.#deployer = deployer;
    this.#control = control;
    this.#delete = deleteApp;
  }

  /**
   * Applies a config: deploys, updates and deletes apps. Nothing changes if any part of it is invalid. Idempotent.
   * @returns once every app of the config runs
   */
  async deploy(value: unknown): Promise<void> {
    const { apps, targetCapacity } = parseServeConfig(value);
    const loaded = this.#loading.then(() => this.#load(apps));
    const percent = targetCapacity ?? undefined;
    const started = loaded.then(async (planned) =>
      this.#start(planned, percent, await this.#order(planned, percent)),
    );
    this.#loading = started.catch(() => {});
    const { settled } = await started;
    await settled;
  }

  async #load(apps: readonly AppConfig[]): Promise<Planned[]> {
    const planned: Planned[] = [];
    for (const [index, config] of apps.entries()) {
      const path = `config.apps[${index}]`;
      const { name, routePrefix = '/' } = config;
      this.#assertFree(name, routePrefix, `${path}.routePrefix`);
      const ingress = await loadApp(config, path, process.cwd());
      await prepareArguments(ingress);
      const overrides = overridesOf(config, path);
      this.#deployer.compile(ingress, name, { adjust: overrides.apply });
      overrides.assertUsed();
      const shared = this.#control.fleet === undefined ? new Map() : sharedBy(config, path);
      planned.push({
        name,
        routePrefix,
        ingress,
        adjust: overrides.apply,
        counted: (config.deployments ?? []).filter(namesCount).map((one) => one.name),
        shared,
      });
    }
    return planned;
  }

  /**
   * Orders the config of the whole fleet. Nothing changes if that fails.
   * @returns whether the fleet has it, so that the options come from there
   */
  async #order(planned: readonly Planned[], percent: number | undefined): Promise<boolean> {
    const { fleet } = this.#control;
    if (fleet === undefined) return false;
    const apps = planned.map(({ name }) => name);
    const { isSame, leaving } = this.#compared(apps);
    const configs = planned.flatMap(({ name, shared }) =>
      [...shared].map(([deployment, options]) => [routeKey(name, deployment), options] as const),
    );
    const isNew = !planned.some(({ name }) => this.#apps.has(name));
    const order = {
      apps,
      configs: Object.fromEntries(configs),
      deleted: leaving,
      percent,
      isSameApps: isSame,
    };
    return fleet.configure(order, isNew);
  }

  /** Compares the apps of a config with those of the one before. */
  #compared(names: readonly string[]): { readonly isSame: boolean; readonly leaving: string[] } {
    const isSame = names.length === this.#names.size && names.every((name) => this.#names.has(name));
    return { isSame, leaving: [...this.#names].filter((name) => !names.includes(name)) };
  }

  /** A prefix may pass from one app of the configs to another, but from no other app. */
  #assertFree(app: string, routePrefix: string | null, path: string): void {
    if (routePrefix === null) return;
    for (const { name, routePrefix: taken } of this.#apps) {
      if (taken !== routePrefix || name === app || this.#names.has(name)) continue;
      throw invalidOption(path, routePrefix, `another prefix, or null: app '${name}' has it`);
    }
  }

  /** Makes all changes at once; the promise covers the slow part. */
  #start(
    planned: readonly Planned[],
    percent: number | undefined,
    isOrdered: boolean,
  ): { settled: Promise<void> } {
    const names = planned.map(({ name }) => name);
    const { isSame, leaving } = this.#compared(names);
    const { capacity } = this.#control.snapshot.overrides;
    void this.#control.override({ type: 'capacity', capacity: nextCapacity(capacity, percent, isSame) });
    const deployed = planned.map((one) => this.#startOne(one, isOrdered));
    for (const name of names) this.#names.add(name);
    return { settled: this.#settle(planned, leaving, deployed) };
  }

  #startOne({ ingress, name, routePrefix, adjust, counted }: Planned, isOrdered: boolean): Promise<void> {
    // The numbers of the config replace those set by `scale()`, in one step with the other changes.
    for (const deployment of counted)
      void this.#control.propose({ type: 'scale', key: routeKey(name, deployment), scale: undefined });
    const prefix = this.#prefixForNow(name, routePrefix);
    return this.#deployer.start(ingress, name, prefix, isOrdered ? {} : { adjust }).deployed;
  }

  /** A prefix moves when its new owner can serve. */
  #prefixForNow(name: string, wanted: string | null): string | null {
    const isTaken = [...this.#apps].some(
      (app) => app.name !== name && app.routePrefix === wanted && wanted !== null,
    );
    return isTaken ? (this.#apps.get(name)?.routePrefix ?? null) : wanted;
  }

  async #settle(
    planned: readonly Planned[],
    leaving: readonly string[],
    deployed: readonly Promise<void>[],
  ): Promise<void> {
    const outcomes = await Promise.allSettled(deployed);
    for (const name of leaving) {
      const app = this.#apps.get(name);
      if (app !== undefined) app.routePrefix = null;
    }
    for (const { name, routePrefix } of planned) {
      const app = this.#apps.get(name);
      if (app !== undefined) app.routePrefix = routePrefix;
    }
    for (const name of leaving) this.#names.delete(name);
    await Promise.all(leaving.map((name) => this.#delete(name)));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }
}

/** The options of a config that the whole fleet gets. @throws ServeError `SERVE_INVALID_OPTION` */
function sharedBy({ deployments = [] }: AppConfig, path: string): Map<string, SharedOptions> {
  return new Map(
    deployments.map(({ name, ...changes }, index) => [
      name,
      sharedOptions(changes, `${path}.deployments[${index}]`),
    ]),
  );
}
