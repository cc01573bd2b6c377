import type { BoundDeployment } from '../../deployment/bound.ts';
import { answers, type IngressFace } from '../../deployment/ingress-face.ts';
import { ServeError, unknownApp } from '../../errors.ts';
import { namesOf, type RouteKey } from '../../handle/routing/directory.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { AppRuntime } from './app-runtime.ts';

/** A deployment of an app. */
export interface Place {
  readonly app: string;
  readonly deployment: string;
}

/** The apps of an instance by their names. */
export class Apps {
  readonly #apps = new Map<string, AppRuntime>();

  get(name: string): AppRuntime | undefined {
    return this.#apps.get(name);
  }

  has(name: string): boolean {
    return this.#apps.has(name);
  }

  add(app: AppRuntime): void {
    this.#apps.set(app.name, app);
  }

  /** Returns false if another app has taken the name in the meantime. */
  remove(app: AppRuntime): boolean {
    return this.#apps.get(app.name) === app && this.#apps.delete(app.name);
  }

  [Symbol.iterator](): IterableIterator<AppRuntime> {
    return this.#apps.values();
  }

  /** @throws ServeError `SERVE_NOT_FOUND` */
  existing(name: string): AppRuntime {
    const app = this.#apps.get(name);
    if (app === undefined) throw unknownApp(name);
    return app;
  }

  /** The default prefix of an app: `/`, which an app without HTTP methods leaves to others. */
  defaultPrefix(name: string, face: IngressFace): string | null {
    for (const app of this) {
      if (app.name === name || app.routePrefix !== '/') continue;
      if (!answers(face)) return null;
      if (app.isPrefixProvisional) app.routePrefix = null;
    }
    return '/';
  }

  /** @throws ServeError `SERVE_INVALID_OPTION` if another app has the prefix */
  assertPrefixIsFree(name: string, routePrefix: string | null): void {
    if (routePrefix === null) return;
    for (const app of this) {
      if (app.name === name || app.routePrefix !== routePrefix) continue;
      throw new ServeError(
        'SERVE_INVALID_OPTION',
        `run.routePrefix: '${routePrefix}' belongs to app '${app.name}' already; allowed: another prefix, or null`,
      );
    }
  }

  /** Locates a running bound deployment. */
  locate(bound: BoundDeployment<unknown>, appName: string | undefined): Place | undefined {
    for (const { name, compiled, isUnited } of this) {
      if (isUnited) continue;
      const deployment = compiled.source.names.get(bound);
      if (deployment !== undefined && (appName ?? name) === name) return { app: name, deployment };
    }
    return undefined;
  }

  /** Whether a deployment still exists, even if its app no longer declares it. */
  runs(key: RouteKey): boolean {
    const [app, deployment] = namesOf(key);
    return this.#apps.get(app)?.deployments.has(deployment) === true;
  }

  /** The replicas on threads, of all apps. */
  replicas(): ManagedReplica[] {
    return [...this].flatMap((app) => [...app.replicas()]);
  }

  /** Ends a replica at once. */
  destroy(replicaId: string, why: string): void {
    for (const app of this) if (app.destroy(replicaId, why)) return;
  }
}
