import { routeKey } from '../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { Logger } from '../../observe/logger.ts';
import type { Apps } from './app-registry.ts';
import type { AppRuntime } from './app-runtime.ts';

export interface HandleAppsOptions {
  readonly apps: Apps;
  readonly registry: EndpointRegistry;
  readonly log: Logger;
  /** Drains an app and stops it. @param timeoutMs undefined: as its deployments' options say */
  close(app: AppRuntime, timeoutMs: number | undefined): void;
}

/**
 * Apps that run only because `serve.handle(bound)` was called before the bound deployment was deployed. When another app holds
 * the same bound deployment they become a part of that app: a bound deployment runs once, in whatever order it is used.
 */
export class HandleApps {
  readonly #options: HandleAppsOptions;
  readonly #made = new WeakSet<AppRuntime>();

  constructor(options: HandleAppsOptions) {
    this.#options = options;
  }

  /** Records that the app was made for a handle. */
  add(app: AppRuntime): void {
    this.#made.add(app);
  }

  /** The app is deployed by its name, or exposed: it remains an app of its own. */
  keep(app: AppRuntime): void {
    this.#made.delete(app);
  }

  /**
   * An app is deployed: apps that were made for handles to its deployments become a part of it, and the log names other apps
   * that hold one of its bound deployments.
   *
   * @param deployed resolves once the app can serve
   */
  unite(app: AppRuntime, deployed: Promise<void>): void {
    for (const other of this.#options.apps) {
      if (other === app || other.isUnited || other.name.includes('@')) continue;
      const shared = sharedBy(app, other);
      if (shared.size === 0) continue;
      if (this.#made.has(other) && shared.has(other.spec.ingress)) this.#unite(app, other, shared, deployed);
      else this.#warn(app, other, shared);
    }
  }

  /** @param shared names of the deployments in the other app, and in this one */
  #unite(
    app: AppRuntime,
    other: AppRuntime,
    shared: ReadonlyMap<string, string>,
    deployed: Promise<void>,
  ): void {
    const { registry, close } = this.#options;
    const wasRoutable = other.isRoutable;
    const unite = (): void => {
      if (!this.#made.has(other) || other.isUnited) return;
      other.isUnited = true;
      for (const [from, to] of shared) registry.redirect(routeKey(other.name, from), routeKey(app.name, to));
      // Replicas that have not started serve no calls.
      close(other, wasRoutable ? undefined : 0);
    };
    // A serving app stays until the other one can serve.
    if (wasRoutable) deployed.then(unite, () => {});
    else unite();
  }

  #warn(app: AppRuntime, other: AppRuntime, shared: ReadonlyMap<string, string>): void {
    const names = [...shared.values()].join(', ');
    this.#options.log.warn(
      { app: app.name },
      `apps '${other.name}' and '${app.name}' hold the same bound deployment (${names}), and each runs replicas of it: bind it once for each app, or call the one of '${other.name}' by serve.handle()`,
    );
  }
}

/** Names in another app, and in this one, of the bound deployments that both hold. */
function sharedBy(app: AppRuntime, other: AppRuntime): Map<string, string> {
  const shared = new Map<string, string>();
  const { names } = app.compiled.source;
  for (const [bound, from] of other.compiled.source.names) {
    const to = names.get(bound);
    if (to !== undefined) shared.set(from, to);
  }
  return shared;
}
