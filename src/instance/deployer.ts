import type { CompiledApp } from '../deployment/app-spec.ts';
import type { BoundDeployment } from '../deployment/bound.ts';
import {
  type CompileOptions,
  compileApp,
  defaultAppName,
  prepareArguments,
} from '../deployment/compile-app.ts';
import { ServeError } from '../errors.ts';
import { routeKey } from '../handle/routing/directory.ts';
import type { Router } from '../handle/routing/router.ts';
import type { HttpCounts } from '../observe/http-counts.ts';
import type { Logger } from '../observe/logger.ts';
import { inRootContext } from '../time/root-context.ts';
import { wheel } from '../time/timer-wheel.ts';
import type { Apps } from './apps/app-registry.ts';
import { AppRuntime, type AppRuntimeOptions } from './apps/app-runtime.ts';
import type { DevReload } from './apps/dev-reload.ts';
import { HandleApps } from './apps/handle-apps.ts';
import { NameAdvice } from './apps/name-advice.ts';

/** Options of a deploy, apart from the origin of the code. */
export type DeployOptions = Omit<CompileOptions, 'revision'>;

export interface DeployerOptions extends AppRuntimeOptions {
  readonly apps: Apps;
  readonly router: Router;
  readonly httpCounts: HttpCounts;
  readonly log: Logger;
  /** Set only if apps are reloaded when their files change. */
  readonly dev: DevReload | undefined;
  /** Part of every deployment's version. */
  readonly version: string;
  /** Whether all deployments run on the caller's own event loop. */
  readonly isInline: boolean;
  /** Called before the first app starts. */
  begin(): void;
}

/** Deploys, updates, rolls back and deletes apps. */
export class Deployer {
  readonly #options: DeployerOptions;
  readonly #apps: Apps;
  readonly #handleApps: HandleApps;
  readonly #nameAdvice: NameAdvice;
  #hasBegun = false;
  #isClosed = false;

  constructor(options: DeployerOptions) {
    this.#options = options;
    this.#apps = options.apps;
    const { registry, log } = options;
    this.#nameAdvice = new NameAdvice(log);
    this.#handleApps = new HandleApps({
      apps: options.apps,
      registry,
      log,
      close: (app, timeoutMs) => void this.#close(app, timeoutMs),
    });
  }

  /** Deploys an app, or another version of it. @param routePrefix null = not exposed; undefined = the default */
  async deploy(
    ingress: BoundDeployment<unknown>,
    name: string,
    routePrefix: string | null | undefined,
    options: DeployOptions = {},
  ): Promise<void> {
    const preparing = prepareArguments(ingress);
    if (preparing !== undefined) await preparing;
    await this.start(ingress, name, routePrefix, options).deployed;
  }

  /** Deploys in the background. @throws ServeError `SERVE_INVALID_OPTION`, `SERVE_UNAVAILABLE` */
  start(
    ingress: BoundDeployment<unknown>,
    name: string,
    routePrefix: string | null | undefined,
    options: DeployOptions = {},
  ): { app: AppRuntime; deployed: Promise<void> } {
    this.assertOpen();
    const known = this.#apps.get(name);
    const revision = known?.compiled.revision ?? 0;
    const compiled = this.compile(ingress, name, { ...options, revision });
    const prefix =
      routePrefix === undefined ? this.#apps.defaultPrefix(name, compiled.spec.ingressFace) : routePrefix;
    this.#apps.assertPrefixIsFree(name, prefix);
    const app = known ?? new AppRuntime(compiled, prefix, this.#options);
    this.#apps.add(app);
    this.#handleApps.keep(app);
    this.#nameAdvice.check(name, compiled.source.names.keys());
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      inRootContext(() => this.#options.begin());
    }
    const deployed = this.updateTo(app, compiled);
    deployed.catch(() => {});
    if (routePrefix === undefined) app.takeDefaultPrefix(prefix);
    else app.routePrefix = prefix;
    this.#handleApps.unite(app, deployed);
    return { app, deployed };
  }

  /**
   * Deploys in the background the bound deployment passed to `middleware` or `handle`: the same bound deployment is the same
   * app.
   * @param isForHandle the app becomes a part of the first app that holds the bound deployment
   * @throws ServeError `SERVE_INVALID_OPTION` if another app runs under the name
   */
  ensure(ingress: BoundDeployment<unknown>, name: string | undefined, isForHandle = false): AppRuntime {
    const appName = name ?? this.#apps.locate(ingress, undefined)?.app ?? defaultAppName(ingress);
    const known = this.#apps.get(appName);
    const place = this.#apps.locate(ingress, appName);
    if (known !== undefined && place !== undefined && place.deployment === known.spec.ingress) {
      if (!isForHandle) this.#handleApps.keep(known);
      return known;
    }
    if (known !== undefined) {
      throw new ServeError(
        'SERVE_INVALID_OPTION',
        `another app is called '${appName}': pass \`name\`, or upgrade it with serve.run(app, { name: '${appName}' })`,
      );
    }
    const { app, deployed } = this.start(ingress, appName, null);
    raiseMainInWorker(deployed);
    if (isForHandle) this.#handleApps.add(app);
    return app;
  }

  /** Deploys an app that is not exposed, or another version of it. */
  startTrial(compiled: CompiledApp): Promise<void> {
    const { name } = compiled.spec;
    const app = this.#apps.get(name) ?? new AppRuntime(compiled, null, this.#options);
    this.#apps.add(app);
    return this.updateTo(app, compiled);
  }

  /** @param isWatched calls to the new version are compared with those to the old one */
  updateTo(app: AppRuntime, compiled: CompiledApp, isWatched = true): Promise<void> {
    const deployed = inRootContext(() => app.deploy(compiled, isWatched));
    // A script that only deploys must live until the outcome of the deploy is known.
    wheel.hold();
    return deployed.finally(() => wheel.release());
  }

  /** Updates an app to the code on disk: fresh threads import it. @throws ServeError `SERVE_NOT_FOUND` */
  async reload(name: string, isWatched = true): Promise<void> {
    const app = this.#apps.existing(name);
    await this.updateTo(app, app.compiled.source.recompile(), isWatched);
  }

  /** Applies options that an app is adjusted with and that have changed, once its current update is over. */
  async readjust(name: string): Promise<void> {
    const app = this.#apps.get(name);
    await app?.ready.catch(() => {});
    if (app === undefined || this.#apps.get(name) !== app) return;
    await this.updateTo(app, app.compiled.source.readjust());
  }

  /** Rolls an app back to the version before its last update. @throws ServeError `SERVE_NOT_FOUND` */
  async goBack(name: string): Promise<void> {
    const app = this.#apps.get(name);
    if (app?.previous === undefined) {
      throw new ServeError('SERVE_NOT_FOUND', `app '${name}' has no earlier version`, { app: name });
    }
    await this.updateTo(app, app.previous, false);
  }

  /** Compiles an app without deploying it. @throws ServeError `SERVE_INVALID_OPTION` */
  compile(ingress: BoundDeployment<unknown>, name: string, options: CompileOptions = {}): CompiledApp {
    const { version, isInline, control } = this.#options;
    const adjust: CompileOptions['adjust'] = (deployment, own) => {
      const adjusted = options.adjust?.(deployment, own) ?? own;
      return control.fleet?.optionsOf(name, deployment, adjusted) ?? adjusted;
    };
    return compileApp(ingress, name, version, { ...options, adjust, isInline });
  }

  /**
   * Drains an app and stops it.
   * @param isPatient calls may take until their deadlines
   */
  async remove(name: string, timeoutMs?: number, isPatient = false): Promise<void> {
    const { router } = this.#options;
    const app = this.#apps.get(name);
    if (app === undefined) return;
    const error = new ServeError('SERVE_UNAVAILABLE', `app '${name}' was deleted`, { app: name });
    // The host's own calls are refused from now on; those of replicas that finish their work are not.
    for (const deployment of ['', ...app.spec.deployments.map((spec) => spec.name)])
      router.route(name, deployment, routeKey(name, deployment)).bar(error);
    await this.#close(app, timeoutMs, isPatient);
  }

  async #close(app: AppRuntime, timeoutMs: number | undefined, isPatient = false): Promise<void> {
    const { control, dev, httpCounts } = this.#options;
    const { name } = app;
    await app.delete(timeoutMs, isPatient);
    // A new app may have taken the name in the meantime.
    if (!this.#apps.remove(app)) return;
    await control.override({ type: 'forget', app: name });
    httpCounts.ended(name);
    dev?.forget(name);
  }

  /** @throws ServeError `SERVE_UNAVAILABLE` once the instance is closing */
  assertOpen(): void {
    if (this.#isClosed) throw new ServeError('SERVE_UNAVAILABLE', 'the instance is closing');
  }

  /** Refuses all later deploys. */
  close(): void {
    this.#isClosed = true;
  }
}

/**
 * Raises, as an unhandled rejection, the failure of a background deploy whose replicas import the program itself: without it
 * every request would be answered with 503 for ever, and nothing can change that but another build.
 */
function raiseMainInWorker(deployed: Promise<void>): void {
  deployed.catch((error: unknown) => {
    if (
      error instanceof ServeError &&
      error.cause instanceof ServeError &&
      error.cause.code === 'SERVE_MAIN_IN_WORKER'
    )
      throw error;
  });
}
