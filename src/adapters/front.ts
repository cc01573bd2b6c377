import { unknownApp } from '../errors.ts';
import type { AppRuntime } from '../instance/apps/app-runtime.ts';
import type { Instance } from '../instance/instance.ts';
import type { HostExchange } from './exchange.ts';
import type { HttpTarget } from './http.ts';
import type { Destination, Destinations } from './middleware.ts';
import { parseMiddlewareOptions, type ResolvedMiddlewareOptions } from './middleware-options.ts';
import { type Mount, Mounts } from './mounts.ts';
import { mountPath, pathOf } from './request/request-head.ts';
import { RouteLabels } from './request/route-labels.ts';
import type { UpgradeDestination, UpgradeDestinations } from './websocket/upgrades.ts';

/** The current target of an app, which changes when another deployment becomes its ingress. */
interface KnownTarget extends HttpTarget {
  readonly ingress: string;
}

type Targets = WeakMap<AppRuntime, KnownTarget>;

/** Finds the app of an instance that a request is for. */
export class Front implements UpgradeDestinations {
  readonly #instance: Instance;
  readonly #labels = new WeakMap<AppRuntime, RouteLabels>();
  readonly #mounted: Targets = new WeakMap();
  readonly #prefixed: Targets = new WeakMap();
  readonly #mounts = new Mounts((app) => this.#instance.ingressOf(app) !== undefined);
  /** Targets of apps that only other instances of the fleet have, and the labels of their mount paths. */
  readonly #foreign = new Map<string, KnownTarget>();
  readonly #foreignLabels = new Map<string, RouteLabels>();
  /** The options of the apps that are served by their route prefix. */
  #options = parseMiddlewareOptions({});
  /** Apps for which the log has warned that their WebSockets arrive as plain requests. */
  readonly #missed = new WeakSet<AppRuntime>();
  /** Apps for which the log has warned that they are not exposed. */
  readonly #hidden = new WeakSet<AppRuntime>();
  #requests = 0;
  readonly #isLeaving = (): boolean => this.#instance.isLeaving;
  readonly nextRequestId = (): string => `${this.#instance.id}-${(++this.#requests).toString(36)}`;

  constructor(instance: Instance) {
    this.#instance = instance;
  }

  /** Destinations with a single app, wherever the host mounts it. */
  toApp(name: string, options: ResolvedMiddlewareOptions): Destinations {
    const { nextRequestId } = this;
    const { unrouted } = this.#instance.httpCounts;
    const { path } = options;
    const mount =
      path === undefined
        ? undefined
        : this.#mounts.add({ app: name, path: path.replace(/\/+$/, ''), options });
    return {
      mount,
      nextRequestId,
      unrouted,
      isLeaving: this.#isLeaving,
      find: () => (this.#instance.isClosing ? 'closing' : this.#targetOf(name, '', this.#mounted)),
      exposable: () => this.#exposable(name),
      ready: async () => {
        // A peer's app is known once a replica of it is ready.
        if (this.#instance.ingressOf(name) === undefined) throw unknownApp(name);
        await this.#instance.app(name)?.ready;
        await this.#exposable(name);
      },
    };
  }

  /** All running apps, by the longest matching prefix on segment borders, and Ray's control paths. */
  byPrefix(options: ResolvedMiddlewareOptions): Destinations {
    const { nextRequestId } = this;
    const { unrouted } = this.#instance.httpCounts;
    this.#options = options;
    return {
      nextRequestId,
      unrouted,
      isLeaving: this.#isLeaving,
      find: (url) => this.#find(url),
      exposable: () => Promise.resolve(),
      ready: async () => {
        await Promise.all([...this.#instance.apps()].map(({ ready }) => ready));
      },
    };
  }

  /** The app that a connection is for: by its mount path or its route prefix, the longest. */
  findUpgrade(url: string): UpgradeDestination | undefined {
    const best = this.#mountAbove(pathAlone(url));
    if (best === undefined) return undefined;
    const { path: prefix, options } = best;
    const app = this.#instance.app(best.app);
    const target = this.#instance.isClosing ? undefined : this.#targetOf(best.app, prefix, new WeakMap());
    return {
      target: typeof target === 'object' && 'route' in target ? target : undefined,
      options,
      takesWebSockets: app?.face?.webSocket ?? true,
    };
  }

  #mountAbove(path: string): Mount | undefined {
    let best = this.#mounts.above(path);
    for (const mount of this.#prefixes())
      if (isUnder(path, mount.path) && mount.path.length > (best?.path.length ?? -1)) best = mount;
    return best;
  }

  /** Warns once of a WebSocket that arrived as a plain request, because no listener took its upgrade. */
  #missedUpgrade(app: AppRuntime, { originalUrl, url }: HostExchange, prefix: string): boolean {
    if (app.face?.webSocket !== true) return false;
    if (!this.#missed.has(app)) {
      this.#missed.add(app);
      const { name, routePrefix } = app;
      const isPlaced = routePrefix !== null || this.#mounts.has(name);
      const isFound = this.#mountAbove(pathAlone(originalUrl))?.app === name;
      const path = mountPath(originalUrl, url, prefix) || '/';
      let hint = `a framework does not say where it mounts middleware: pass { path: '${path}' } to middleware(app), and call serve.attachWebSocket(server)`;
      if (isFound) hint = 'call serve.attachWebSocket(server) with the server that listens';
      else if (isPlaced)
        hint = `its path is not '${path}': WebSockets are routed by paths as they are written, so mount it at a path without parameters`;
      this.#instance.log.warn(
        { app: name },
        `app '${name}': a WebSocket arrived as a plain request; ${hint}`,
      );
    }
    return true;
  }

  *#prefixes(): Generator<Mount> {
    for (const app of this.#instance.apps()) {
      const { name, routePrefix } = app;
      if (routePrefix === null || this.#isHidden(app)) continue;
      yield { app: name, path: routePrefix === '/' ? '' : routePrefix, options: this.#options };
    }
  }

  #find(url: string): Destination {
    const path = pathAlone(url);
    if (path === '/-/healthz') return this.#healthz();
    if (this.#instance.isClosing) return 'closing';
    if (path === '/-/routes') return { status: 200, json: this.#routes() };
    let best: AppRuntime | undefined;
    let longest = '';
    for (const app of this.#instance.apps()) {
      if (app.routePrefix === null || this.#isHidden(app)) continue;
      const prefix = app.routePrefix === '/' ? '' : app.routePrefix;
      if (!isUnder(path, prefix)) continue;
      if (best !== undefined && prefix.length <= longest.length) continue;
      best = app;
      longest = prefix;
    }
    return this.#target(best, longest, this.#prefixed);
  }

  async #exposable(name: string): Promise<void> {
    const app = this.#instance.app(name);
    await app?.faceKnown();
    const why = app?.notExposable;
    if (why !== undefined) throw why;
  }

  /** Whether an app answers no requests from outside. Logs the reason once. */
  #isHidden(app: AppRuntime): boolean {
    const why = app.notExposable;
    if (why !== undefined && !this.#hidden.has(app)) {
      this.#hidden.add(app);
      this.#instance.log.warn({ app: app.name }, `app '${app.name}' is not exposed: ${why.message}`);
    }
    return why !== undefined;
  }

  #targetOf(name: string, prefix: string, targets: Targets): Destination {
    const app = this.#instance.app(name);
    return app === undefined ? this.#foreignTarget(name, prefix) : this.#target(app, prefix, targets);
  }

  /** The target of an app that only other instances of the fleet have. */
  #foreignTarget(name: string, prefix: string): Destination {
    const ingress = this.#instance.ingressOf(name);
    const route = this.#instance.ingressRoute(name);
    if (ingress === undefined || route === undefined) return 'unknown';
    const known = this.#foreign.get(name);
    if (known?.route === route && known.prefix === prefix) return known;
    const routes = this.#foreignLabels.get(name) ?? new RouteLabels();
    this.#foreignLabels.set(name, routes);
    const { log, httpCounts } = this.#instance;
    const counts = httpCounts.of(name, ingress);
    const { nextRequestId } = this;
    const [isLeaving, missedUpgrade] = [this.#isLeaving, () => false];
    const target = { ingress, route, prefix, log, counts, routes, nextRequestId, isLeaving, missedUpgrade };
    this.#foreign.set(name, target);
    return target;
  }

  #target(app: AppRuntime | undefined, prefix: string, targets: Targets): Destination {
    if (app === undefined) return 'unknown';
    if (this.#isHidden(app)) return app.notExposable ?? 'unknown';
    const { ingress } = app.serving;
    const known = targets.get(app);
    if (known?.ingress === ingress && known.prefix === prefix && !known.route.isGone) return known;
    const route = this.#instance.ingressRoute(app.name);
    if (route === undefined) return 'unknown';
    const { nextRequestId } = this;
    const { log, httpCounts } = this.#instance;
    const counts = httpCounts.of(app.name, ingress);
    const missedUpgrade = (exchange: HostExchange): boolean => this.#missedUpgrade(app, exchange, prefix);
    const isLeaving = this.#isLeaving;
    const routes = this.#routesOf(app);
    const target: KnownTarget = {
      ingress,
      route,
      prefix,
      log,
      counts,
      routes,
      nextRequestId,
      isLeaving,
      missedUpgrade,
    };
    targets.set(app, target);
    return target;
  }

  /** The labels of an app's mount paths, which outlive its versions. */
  #routesOf(app: AppRuntime): RouteLabels {
    const known = this.#labels.get(app);
    if (known !== undefined) return known;
    const made = new RouteLabels();
    this.#labels.set(app, made);
    return made;
  }

  #routes(): Record<string, string> {
    const routes: Record<string, string> = {};
    for (const app of this.#instance.apps())
      if (app.routePrefix !== null && !this.#isHidden(app)) routes[app.routePrefix] = app.name;
    return routes;
  }

  #healthz(): Destination {
    if (this.#instance.isLeaving) return { status: 503, json: 'This instance is being drained.' };
    for (const { routePrefix, isRoutable } of this.#instance.apps()) {
      if (routePrefix !== null && isRoutable) return { status: 200, json: 'success' };
    }
    return { status: 503, json: 'No replicas are available yet.' };
  }
}

function pathAlone(url: string): string {
  const [path = ''] = (pathOf(url) ?? '').split('?', 1);
  return path;
}

/** Whether the prefix matches whole segments of the path. */
function isUnder(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path[prefix.length] === '/');
}
