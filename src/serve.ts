import type { IncomingMessage, ServerResponse } from 'node:http';
import { Front } from './adapters/front.ts';
import { createMiddleware, type ServeMiddleware } from './adapters/middleware.ts';
import {
  type MiddlewareOptions,
  parseMiddlewareOptions,
  type ResolvedMiddlewareOptions,
} from './adapters/middleware-options.ts';
import { shutDown } from './adapters/shutdown/shutdown.ts';
import {
  parseShutdownOptions,
  type ShutdownOptions,
  type ShutdownServer,
  stoppable,
} from './adapters/shutdown/shutdown-options.ts';
import type { UpgradableServer } from './adapters/websocket/upgrade-gate.ts';
import { attachUpgrades } from './adapters/websocket/upgrades.ts';
import type { WebSocketOptions } from './adapters/websocket/websocket-options.ts';
import { fleetEntry } from './cluster/fleet-entry.ts';
import type { FleetHost } from './cluster/fleet-host.ts';
import type { FleetOptions } from './cluster/fleet-options.ts';
import { ROUTE_PREFIX, type ServeConfig } from './deployment/app-config.ts';
import type { BoundDeployment } from './deployment/bound.ts';
import { assertBound, defaultAppName } from './deployment/compile-app.ts';
import type { Exposable } from './deployment/exposable.ts';
import { SCALE_FIELD, type ScaleOptions } from './deployment/options/scale-options.ts';
import { type TrialKind, trialKind } from './deployment/options/trial-options.ts';
import type { DeploymentHandle, UntypedHandle } from './handle/api/handle-types.ts';
import { triedApp } from './instance/apps/trial-name.ts';
import type { FleetPart } from './instance/fleet/instance-fleet.ts';
import { Instance } from './instance/instance.ts';
import type { StatusReport } from './instance/instance-status.ts';
import type { ServeEventName, ServeEvents } from './observe/events.ts';
import { Metrics } from './observe/metrics.ts';
import type { OpenApiDocument } from './openapi/openapi-types.ts';
import { replicaRouter } from './replica/current-thread.ts';
import { mainInWorker } from './replica/thread-hooks/main-in-worker.ts';
import { parseRunOptions, type RunOptions } from './run-options.ts';
import { fleetPart, instanceOptions, SERVE_FIELDS, type ServeOptions } from './serve-options.ts';
import { boolean, milliseconds, parseOptions, string } from './validation/fields.ts';

export interface OpenApiOptions {
  /** Path at which the app is mounted. Default: its `routePrefix`, else `'/'`. */
  routePrefix?: string;
}

/** Wires the parts of one instance, and is the public interface to them. */
export class Serve implements AsyncDisposable {
  readonly #instance: Instance;
  readonly #metrics: Metrics;
  readonly #front: Front;

  /** @internal Use `createServe()`. */
  constructor(options: ServeOptions, fleet: FleetPart | undefined = fleetPart(options)) {
    this.#instance = new Instance({ ...instanceOptions(options), fleet });
    if (options.fleet !== undefined && fleet === undefined)
      this.#instance.log.warn(
        {},
        'fleet is set without redis, so the instance belongs to no fleet: set redis, or INSERVE_REDIS_URL',
      );
    this.#front = new Front(this.#instance);
    try {
      this.#metrics = new Metrics(
        options.metrics ?? {},
        () => this.#instance.samples(),
        () => this.#instance.host,
        this.#instance.userMetrics,
        this.#instance.httpCounts,
        this.#instance.info,
        { fleet: () => this.#instance.fleet?.sample, peers: () => this.#instance.fleet?.peerSample },
      );
    } catch (error) {
      void this.#instance.close(0);
      throw error;
    }
  }

  /**
   * Deploys an app and resolves once every deployment can serve. Deploying a name again upgrades the app in place. With
   * `canary` or `shadow` the new version is tried beside the running one, until `promote(name)` or `rollback(name)`.
   *
   * @throws ServeError `SERVE_DEPLOY_FAILED` with the original error as `cause`; `SERVE_INVALID_OPTION`
   */
  async run<T>(app: BoundDeployment<T>, options: RunOptions = {}): Promise<DeploymentHandle<T>> {
    assertBound(app, 'run(app)');
    const { name, routePrefix, autoscalingPolicy, ...trial } = parseRunOptions(options);
    const appName = name ?? defaultAppName(app);
    const kind = trialKind(trial, 'run');
    if (kind !== undefined) await this.#instance.try(app, appName, kind);
    else await this.#instance.deploy(app, appName, routePrefix, autoscalingPolicy);
    return this.#instance.handle<T>(appName);
  }

  /**
   * Middleware for Express, Koa and middie, and a `node:http` request listener. With an app it deploys the app in the
   * background and serves it; with a name it serves the app of that name, in a fleet also one that only other instances have.
   * Without one it serves all running apps by their `routePrefix`, `/-/healthz` and `/-/routes`.
   *
   * @throws ServeError `SERVE_INVALID_OPTION`
   */
  middleware<Req = IncomingMessage>(
    app?: (BoundDeployment<unknown> & Exposable) | string,
    options: MiddlewareOptions<Req> = {},
  ): ServeMiddleware {
    const parsed = parseMiddlewareOptions(options);
    if (app === undefined) return createMiddleware(this.#front.byPrefix(parsed), parsed);
    const kind = trialKind(parsed, 'middleware');
    if (kind !== undefined) return this.#trialMiddleware(app, kind, parsed);
    const name = typeof app === 'string' ? app : this.#ensure(app, parsed.name, 'middleware(app)');
    return createMiddleware(this.#front.toApp(name, parsed), parsed);
  }

  /** Serves the running app, with another version on trial. */
  #trialMiddleware(
    app: BoundDeployment<unknown> | string,
    kind: TrialKind,
    options: ResolvedMiddlewareOptions,
  ): ServeMiddleware {
    assertBound(app, 'middleware(app)');
    const name = options.name ?? defaultAppName(app);
    const tried = this.#instance.try(app, name, kind);
    tried.catch((error: unknown) =>
      this.#instance.log.error(
        { app: name, err: error },
        `app '${name}': the ${'canary' in kind ? 'canary' : 'shadow'} could not be started`,
      ),
    );
    const destinations = this.#front.toApp(name, options);
    const ready = async (): Promise<void> => {
      await Promise.all([tried, destinations.ready()]);
    };
    return createMiddleware({ ...destinations, ready }, options);
  }

  /**
   * Accepts WebSockets on a `node:http` or `node:https` server for apps whose ingress has `websocket(socket, request)` and that
   * are mounted with a `path` or have a route prefix. Other upgrades are left to other listeners, or to the server's own routes
   * if there are none.
   *
   * @returns a function that removes the listener; connections stay
   * @throws ServeError `SERVE_INVALID_OPTION`
   */
  attachWebSocket(server: UpgradableServer, options: WebSocketOptions = {}): () => void {
    return attachUpgrades(server, this.#front, options);
  }

  /**
   * Returns a handle to the ingress of an app (by name or bound deployment), to a deployment of an app, or to a bound
   * deployment wherever it runs. A bound deployment that is not deployed yet is deployed in the background, as an app of its own
   * until another app contains it, so that it runs once in whatever order it is used. With a name, give the type as well:
   * `serve.handle<typeof Model>('Model')`.
   */
  handle<T = UntypedHandle>(
    target: BoundDeployment<T> | string,
    options: { app?: string } = {},
  ): DeploymentHandle<T> {
    const { app } = parseOptions<{ app?: string }>(options, { app: string() }, 'handle');
    if (typeof target === 'string') {
      return app === undefined ? this.#instance.handle<T>(target) : this.#instance.handle<T>(app, target);
    }
    assertBound(target, 'handle(target)');
    return this.#instance.handleTo<T>(target, app);
  }

  /**
   * Returns the OpenAPI 3.1 document of an app, made from the schemas of its ingress or, for a router, from the document that
   * its `openapi()` returns. Waits until the app is deployed.
   *
   * @throws ServeError `SERVE_NOT_FOUND`; `SERVE_DEPLOY_FAILED`; `SERVE_UNAVAILABLE` while no replica runs;
   *   `SERVE_MISSING_DEPENDENCY` for valibot schemas without `@valibot/to-json-schema`
   */
  async openapi(name: string, options: OpenApiOptions = {}): Promise<OpenApiDocument> {
    const { routePrefix } = parseOptions<OpenApiOptions>(options, { routePrefix: ROUTE_PREFIX }, 'openapi');
    return this.#instance.openapi(name, routePrefix);
  }

  /**
   * Makes the running apps match a config: changes those that differ, deletes those that only an earlier config contained,
   * and leaves all others alone. The same config again changes nothing.
   *
   * @returns once every app of the config can serve
   * @throws ServeError `SERVE_INVALID_OPTION` naming the path in the config, before anything is changed;
   *   `SERVE_DEPLOY_FAILED` with the original error as `cause`
   */
  async deploy(config: ServeConfig): Promise<void> {
    await this.#instance.configure(config);
  }

  /**
   * Sets the number of replicas of a deployment, or the bounds of an autoscaled one, in place of those of its options. A number
   * pauses autoscaling. It applies until a `deploy(config)` sets `numReplicas` or `autoscaling` of the deployment, or its app is
   * deleted; `run()` does not end it. A target capacity applies on top.
   *
   * @param scale 1 to 1 000 replicas; or `{ min, max }`, 0 to 1 000, where `min: 0` scales to zero
   * @returns once the number is decided; `status()` shows the progress of the replicas
   * @throws ServeError `SERVE_NOT_FOUND` if there is no such app or deployment; `SERVE_INVALID_OPTION`, also for bounds of a
   *   deployment that is not autoscaled; `SERVE_UNAVAILABLE` while the instance closes
   */
  async scale(app: string, deployment: string, scale: ScaleOptions): Promise<void> {
    await this.#instance.scale(app, deployment, SCALE_FIELD.parse(scale, 'scale'));
  }

  /**
   * Replaces the code of an app by that on disk, as a rolling update: new threads import the modules of the app again. The host
   * keeps its module objects; the app is compiled again from the same bound deployments.
   *
   * @throws ServeError `SERVE_DEPLOY_FAILED` if the new code does not work, while the old code keeps serving; `SERVE_NOT_FOUND`
   */
  async reload(name: string): Promise<void> {
    await this.#instance.reload(name);
  }

  /**
   * Ends the canary or shadow of an app after finishing its calls. Without one it brings the app back to the version before its
   * last update; in a fleet, every instance that has one.
   * @throws ServeError `SERVE_NOT_FOUND` if there is no such app, or nothing to go back to
   */
  async rollback(name: string): Promise<void> {
    await this.#instance.rollBack(name);
  }

  /**
   * Updates an app to the version that is tried beside it, by a rolling update, and ends the trial.
   * @throws ServeError `SERVE_DEPLOY_FAILED`, and the trial continues; `SERVE_NOT_FOUND` if there is no trial
   */
  async promote(name: string): Promise<void> {
    await this.#instance.promote(name);
  }

  /**
   * Moves all replicas off an instance of the fleet, which keeps taking requests and passes the calls on; `false` lets it have
   * replicas again. The order applies until the instance ends.
   *
   * @param instance id as in `status().instances`
   * @returns once the order is accepted; `status()` shows the progress of the replicas
   * @throws ServeError `SERVE_NOT_FOUND` if there is no such instance; `SERVE_UNAVAILABLE` outside a fleet, and while Redis is
   *   away
   */
  async drain(instance: string, isDraining: boolean = true): Promise<void> {
    await this.#instance.drainInstance(
      string().parse(instance, 'drain(instance)'),
      boolean().parse(isDraining, 'drain(isDraining)'),
    );
  }

  /** Returns the state of the instance and of everything that runs in it. */
  status(): StatusReport {
    return this.#instance.status();
  }

  /** Drains an app and stops it. An unknown name is skipped. */
  async delete(name: string): Promise<void> {
    await this.#instance.delete(name);
  }

  /** Drains all apps, then ends every thread. Idempotent. */
  async close(options: { timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs } = parseOptions<{ timeoutMs?: number }>(
      options,
      { timeoutMs: milliseconds() },
      'close',
    );
    await this.#instance.close(timeoutMs);
    this.#metrics.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal The host of the fleet thread; undefined outside a fleet. */
  get fleet(): Promise<FleetHost> | undefined {
    return this.#instance.fleet?.host;
  }

  /**
   * Ends a server and this instance without losing a request: `ready()` turns false and every response has `Connection: close`;
   * after `drainDelayMs` the server takes no more connections; requests have `timeoutMs` to end; then connections close, the
   * hooks of a Fastify instance run, and all apps end. With `signals` it waits for the first of them, and a second one ends the
   * process at once: `serve.shutdown(server, { signals: ['SIGTERM', 'SIGINT'] })`.
   *
   * @returns once everything has ended; the process ends by itself unless something else keeps it alive
   * @throws ServeError `SERVE_INVALID_OPTION`
   */
  async shutdown(server: ShutdownServer, options: ShutdownOptions = {}): Promise<void> {
    const parsed = parseShutdownOptions(options);
    const { log } = this.#instance;
    const drain = (): void => this.#instance.drain();
    const close = (timeoutMs: number): Promise<void> => this.close({ timeoutMs });
    await shutDown(stoppable(server), { log, drain, close }, parsed);
  }

  /** Liveness: false once the instance is closing, or if only a restart of the process can help (threads blocked for ever). */
  health(): boolean {
    return !this.#instance.isClosing && ![...this.#instance.apps()].some(({ isDegraded }) => isDegraded);
  }

  /** Readiness: whether every deployment can serve, and no shutdown has begun. */
  ready(): boolean {
    return (
      !this.#instance.isLeaving &&
      [...this.#instance.apps()].every(({ name, isRoutable }) => triedApp(name) !== undefined || isRoutable)
    );
  }

  /** The metrics as Prometheus text. */
  async metrics(): Promise<string> {
    return (await this.#metrics.read()).text;
  }

  /** A request listener that answers the scrapes of Prometheus. */
  metricsMiddleware(): (req: IncomingMessage, res: ServerResponse, next?: (error?: unknown) => void) => void {
    return (_req, res, next) => {
      this.#metrics.read().then(
        ({ text, contentType }) => {
          res.setHeader('content-type', contentType);
          res.setHeader('cache-control', 'no-store');
          res.end(text);
        },
        (error: unknown) => (next === undefined ? res.destroy() : next(error)),
      );
    };
  }

  /** A request listener that answers 200 while the instance is alive and ready, else 503. */
  healthMiddleware(): (req: IncomingMessage, res: ServerResponse) => void {
    return (_req, res) => {
      const isReady = this.health() && this.ready();
      res.statusCode = isReady ? 200 : 503;
      res.setHeader('content-type', 'text/plain; charset=utf-8');
      res.setHeader('cache-control', 'no-store');
      res.end(isReady ? 'success' : 'not ready');
    };
  }

  /** Listens to an event. @returns a function that removes the listener */
  on<K extends ServeEventName>(event: K, listener: (data: ServeEvents[K]) => void): () => void {
    return this.#instance.events.on(event, listener);
  }

  #ensure(app: BoundDeployment<unknown>, name: string | undefined, what: string): string {
    assertBound(app, what);
    return this.#instance.ensure(app, name).name;
  }
}

/**
 * @internal Makes a serving instance whose peers are known by their addresses.
 *
 * @param entry file of the fleet thread's entry. Default: the package's own
 */
export async function createFleetServe(
  options: ServeOptions,
  fleet: FleetOptions,
  entry: string = fleetEntry(options.fleetEntry),
): Promise<{ serve: Serve; fleet: FleetHost }> {
  const serve = new Serve(parseOptions<ServeOptions>(options, SERVE_FIELDS, 'createServe'), {
    options: fleet,
    entry,
  });
  return { serve, fleet: (await serve.fleet) as FleetHost };
}

/**
 * Makes a serving instance.
 * @throws ServeError `SERVE_INVALID_OPTION`; `SERVE_MAIN_IN_WORKER` in a replica's thread
 */
export function createServe(options: ServeOptions = {}): Serve {
  if (replicaRouter() !== undefined) throw mainInWorker('createServe()');
  return new Serve(parseOptions<ServeOptions>(options, SERVE_FIELDS, 'createServe'));
}
