import { type AppConfig, loadApp, overridesOf, parseServeConfig } from '../../deployment/app-config.ts';
import type { BoundDeployment } from '../../deployment/bound.ts';
import { type CompileOptions, prepareArguments } from '../../deployment/compile-app.ts';
import { invalidOption } from '../../errors.ts';
import type { AppRuntime } from './app-runtime.ts';

/** What a config needs of the instance. */
export interface ConfigTarget {
  setTargetCapacity(percent: number | undefined, isSameApps: boolean): void;
  app(name: string): AppRuntime | undefined;
  apps(): Iterable<AppRuntime>;
  /** Compiles without deploying. @throws ServeError `SERVE_INVALID_OPTION` */
  check(ingress: BoundDeployment<unknown>, name: string, adjust: Adjust): void;
  start(
    ingress: BoundDeployment<unknown>,
    name: string,
    routePrefix: string | null,
    adjust: Adjust,
  ): Promise<void>;
  delete(name: string): Promise<void>;
}

type Adjust = NonNullable<CompileOptions['adjust']>;

interface Planned {
  readonly name: string;
  readonly routePrefix: string | null;
  readonly ingress: BoundDeployment<unknown>;
  readonly adjust: Adjust;
}

/** The apps that a config asked for: what the next config leaves out of them is deleted. */
export class ConfiguredApps {
  readonly #target: ConfigTarget;
  readonly #names = new Set<string>();
  /** Configs are loaded one after the other; the last one wins. */
  #loading: Promise<unknown> = Promise.resolve();

  constructor(target: ConfigTarget) {
    this.#target = target;
  }

  /**
   * Makes the apps what a config says. Nothing is changed if anything in it is wrong. Idempotent.
   * @returns once every app of it runs
   */
  async deploy(value: unknown): Promise<void> {
    const { apps, targetCapacity } = parseServeConfig(value);
    const loaded = this.#loading.then(() => this.#load(apps));
    const started = loaded.then((planned) => this.#start(planned, targetCapacity ?? undefined));
    this.#loading = started.catch(() => {});
    const { settled } = await started;
    await settled;
  }

  async #load(apps: readonly AppConfig[]): Promise<Planned[]> {
    const planned: Planned[] = [];
    for (const [index, config] of apps.entries()) {
      const path = `config.apps[${index}]`;
      const { name, routePrefix = '/' } = config;
      this.#assertFree(routePrefix, `${path}.routePrefix`);
      const ingress = await loadApp(config, path, process.cwd());
      await prepareArguments(ingress);
      const overrides = overridesOf(config, path);
      this.#target.check(ingress, name, overrides.apply);
      overrides.assertUsed();
      planned.push({ name, routePrefix, ingress, adjust: overrides.apply });
    }
    return planned;
  }

  /** A prefix may pass from one app of the configs to another, and from no other app. */
  #assertFree(routePrefix: string | null, path: string): void {
    if (routePrefix === null) return;
    for (const { name, routePrefix: taken } of this.#target.apps()) {
      if (taken !== routePrefix || this.#names.has(name)) continue;
      throw invalidOption(path, routePrefix, `another prefix, or null: app '${name}' has it`);
    }
  }

  /** All that is done at once; what takes its time is in the promise. */
  #start(planned: readonly Planned[], percent: number | undefined): { settled: Promise<void> } {
    const target = this.#target;
    const names = planned.map(({ name }) => name);
    const isSame = names.length === this.#names.size && names.every((name) => this.#names.has(name));
    const leaving = [...this.#names].filter((name) => !names.includes(name));
    target.setTargetCapacity(percent, isSame);
    const deployed = planned.map(({ ingress, name, routePrefix, adjust }) =>
      target.start(ingress, name, this.#prefixForNow(name, routePrefix), adjust),
    );
    for (const name of names) this.#names.add(name);
    return { settled: this.#settle(planned, leaving, deployed) };
  }

  /** A prefix passes on when its new owner can serve. */
  #prefixForNow(name: string, wanted: string | null): string | null {
    const isTaken = [...this.#target.apps()].some(
      (app) => app.name !== name && app.routePrefix === wanted && wanted !== null,
    );
    return isTaken ? (this.#target.app(name)?.routePrefix ?? null) : wanted;
  }

  async #settle(
    planned: readonly Planned[],
    leaving: readonly string[],
    deployed: readonly Promise<void>[],
  ): Promise<void> {
    const outcomes = await Promise.allSettled(deployed);
    for (const name of leaving) {
      const app = this.#target.app(name);
      if (app !== undefined) app.routePrefix = null;
    }
    for (const { name, routePrefix } of planned) {
      const app = this.#target.app(name);
      if (app !== undefined) app.routePrefix = routePrefix;
    }
    for (const name of leaving) this.#names.delete(name);
    await Promise.all(leaving.map((name) => this.#target.delete(name)));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }
}
