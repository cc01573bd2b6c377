import { observeBatches } from '../batching/batch.ts';
import type { AppReport } from '../controller/status.ts';
import { FULL_CAPACITY, nextCapacity, type TargetCapacity } from '../controller/target-capacity.ts';
import type { CompiledApp } from '../deployment/app-spec.ts';
import type { BoundDeployment } from '../deployment/bound.ts';
import {
  type CompileOptions,
  compileApp,
  defaultAppName,
  prepareArguments,
} from '../deployment/compile-app.ts';
import type { AppAutoscalingPolicy } from '../deployment/options/autoscaling-policy.ts';
import type { Resources } from '../deployment/options/resources.ts';
import type { TrialKind } from '../deployment/options/trial-options.ts';
import { ServeError } from '../errors.ts';
import { adoptHandles, createHandle } from '../handle/api/handle.ts';
import type { DeploymentHandle } from '../handle/api/handle-types.ts';
import { AdmissionControl } from '../handle/queue/admission-control.ts';
import type { TenantsOptions } from '../handle/queue/tenants.ts';
import { type DirectoryEvent, routeKey } from '../handle/routing/directory.ts';
import { EndpointRegistry } from '../handle/routing/endpoint-registry.ts';
import type { Route } from '../handle/routing/route.ts';
import { Router } from '../handle/routing/router.ts';
import { InlineReplicas } from '../isolation/inline/inline-replicas.ts';
import { ThreadHosts } from '../isolation/thread/thread-hosts.ts';
import { CallCounts } from '../observe/call-counts.ts';
import { Events } from '../observe/events.ts';
import { HttpCounts } from '../observe/http-counts.ts';
import type { Logger } from '../observe/logger.ts';
import type { DeploymentSample, HostSample } from '../observe/metrics.ts';
import { openApiDocument } from '../openapi/document.ts';
import type { OpenApiDocument } from '../openapi/openapi-types.ts';
import { activeTime } from '../time/active-time.ts';
import type { Clock } from '../time/control-clock.ts';
import { inRootContext } from '../time/root-context.ts';
import { wheel } from '../time/timer-wheel.ts';
import { HostMetrics } from '../user-metrics/host-metrics.ts';
import { Apps } from './apps/app-registry.ts';
import { AppRuntime } from './apps/app-runtime.ts';
import { ConfiguredApps } from './apps/configured-apps.ts';
import { DevReload } from './apps/dev-reload.ts';
import { TrialController } from './apps/trial-controller.ts';
import type { Environment, UnobservedFailure } from './environment.ts';
import { type GrowthWatchOptions, MemoryGrowthGuard } from './guards/memory-growth-guard.ts';
import { type HostGuardOptions, OverloadGuard } from './guards/overload-guard.ts';
import { ProcessMemoryGuard } from './guards/process-memory-guard.ts';
import { randomId } from './ids.ts';
import { detectMemoryMb } from './resources/machine.ts';
import { ResourceLedger, type ResourceReport } from './resources/resource-ledger.ts';

/** Period of the control loop. */
const TICK_MS = 250;

export interface InstanceOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** File of the replicas' worker entry. */
  readonly workerEntry: string;
  /** Part of every deployment's version. */
  readonly version: string;
  /** Apps are reloaded when their files change. */
  readonly isDev: boolean;
  /** Overrides what the machine has. */
  readonly resources: Resources;
  readonly tenants: TenantsOptions | undefined;
  readonly hostGuard: HostGuardOptions;
  readonly growthWatch: GrowthWatchOptions;
}

/** Everything that runs for one `Serve`: the apps, the host's router, and the control loop. */
export class Instance {
  readonly id: string = randomId(8);
  readonly events: Events;
  readonly log: Logger;
  readonly router: Router;
  readonly userMetrics: HostMetrics;
  readonly httpCounts: HttpCounts = new HttpCounts();
  readonly #environment: Environment;
  readonly #registry = new EndpointRegistry();
  readonly #apps = new Apps();
  readonly #disownHandles: () => void;
  readonly #ignoreBatches: () => void;
  readonly #version: string;
  readonly #memory: ProcessMemoryGuard;
  readonly #resources: ResourceLedger;
  readonly #dev: DevReload | undefined;
  #capacity: TargetCapacity = FULL_CAPACITY;
  readonly #guard: OverloadGuard;
  readonly #growth: MemoryGrowthGuard;
  #callers = 0;
  readonly #clock: Clock;
  #endLoop: (() => void) | undefined = undefined;
  #unfollow: (() => void) | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;
  readonly #trials = new TrialController({
    registry: this.#registry,
    app: (name) => this.#apps.get(name),
    start: (compiled) => this.#startTrial(compiled),
    updateTo: (app, compiled) => this.#updateTo(app, compiled, true),
    delete: (name, isPatient) => this.delete(name, undefined, isPatient),
    compile: (ingress, name, options) => compileApp(ingress, name, this.#version, options),
    counts: (app, deployment) => this.#counted().of(app, deployment).counters.counts,
    fault: (app, error) => {
      this.log.error({ app, err: error }, error.message);
      this.events.emit('fault', { app, reason: 'canary', error });
    },
  });
  readonly #configured = new ConfiguredApps({
    setTargetCapacity: (percent, isSameApps) => this.setTargetCapacity(percent, isSameApps),
    app: (name) => this.#apps.get(name),
    apps: () => this.#apps,
    check: (ingress, name, adjust) => void compileApp(ingress, name, this.#version, { adjust }),
    start: (ingress, name, routePrefix, adjust) =>
      this.#deploy(ingress, name, routePrefix, { adjust }).deployed,
    delete: (name) => this.delete(name),
  });
  /** What all threads counted since the start. */
  readonly #book = new CallCounts(
    (app, deployment) => this.#apps.get(app)?.deployments.has(deployment) === true,
  );

  constructor(options: InstanceOptions) {
    this.log = options.log;
    this.#clock = options.clock;
    this.#version = options.version;
    this.events = new Events((err) => this.log.error({ err }, 'a listener of serve.on() threw'));
    this.userMetrics = new HostMetrics((name, why) =>
      this.log.warn({ metric: name }, `metric ${name}: not all of it is kept: ${why}`),
    );
    this.#resources = new ResourceLedger(options.resources, this.id, {
      overcommitted: (replicas, cpus) =>
        this.log.warn({ replicas, cpus }, 'more replicas than cpus, and none reserved: set resources.cpus'),
    });
    const inlineReplicas = new InlineReplicas();
    const gate = new AdmissionControl(options.tenants);
    this.#guard = new OverloadGuard(options.hostGuard, gate, this.events, this.log);
    const caller = { index: 0, instanceId: this.id, name: `${this.id}.0` };
    const port = { caller, send: (event: DirectoryEvent) => this.router.apply(event) };
    this.router = new Router(
      caller,
      { subscribe: (key) => this.#registry.subscribe(port, key) },
      {
        gate,
        createInline: (inline) => inlineReplicas.make(inline),
        onUnobserved: (error, { route, method, requestId }) => {
          const { app, deployment } = route;
          this.#reportUnobserved({ app, deployment, method, requestId, error });
        },
        onReplaced: (replicaId) => this.#registry.replaced(port, replicaId),
      },
    );
    this.#disownHandles = adoptHandles(this.router);
    this.#ignoreBatches = observeBatches((name, record) => {
      if (inlineReplicas.has(record.replica))
        this.#book.of(record.app, record.deployment).batches.record(name, record);
    });
    this.#registry.addCaller(port);
    const memoryMb = options.resources.memoryMb ?? detectMemoryMb();
    const replicas = () => this.#apps.replicas();
    this.#growth = new MemoryGrowthGuard(options.growthWatch, memoryMb, replicas, this.events, this.log);
    this.#memory = new ProcessMemoryGuard(memoryMb, replicas, ({ replicaId }, why) =>
      this.#apps.kill(replicaId, why),
    );
    this.#dev = options.isDev ? new DevReload((name) => this.reload(name, false), this.log) : undefined;
    this.#environment = {
      instanceId: this.id,
      registry: this.#registry,
      inlineReplicas,
      events: this.events,
      log: this.log,
      clock: this.#clock,
      resources: this.#resources,
      targetCapacity: () => this.#capacity,
      replicaHosts: () => new ThreadHosts(options.workerEntry),
      dev: this.#dev,
      tenants: options.tenants,
      nextCallerIndex: () => ++this.#callers,
      book: this.#book,
      userMetrics: this.userMetrics,
      reportUnobserved: (failure) => this.#reportUnobserved(failure),
    };
  }

  /** Deploys an app, or goes over to a new version of it. */
  async deploy(
    ingress: BoundDeployment<unknown>,
    name: string,
    routePrefix: string | null,
    policy?: AppAutoscalingPolicy,
  ): Promise<void> {
    const options = policy === undefined ? {} : { autoscalingPolicy: policy };
    const preparing = prepareArguments(ingress);
    if (preparing !== undefined) await preparing;
    await this.#deploy(ingress, name, routePrefix, options).deployed;
  }

  /**
   * Runs a share of every deployment from now on.
   * @param percent 0 to 100; undefined: all of it
   * @param isSameApps whether the config that says so names the same apps as the one before
   */
  setTargetCapacity(percent: number | undefined, isSameApps: boolean): void {
    this.#capacity = nextCapacity(this.#capacity, percent, isSameApps);
    for (const app of this.#apps) app.applyCapacity();
  }

  /**
   * Deploys in the background what is passed to `middleware` or `handle`: the same bound deployment is the same app.
   * @throws ServeError `SERVE_INVALID_OPTION` if another one runs under the name
   */
  ensure(ingress: BoundDeployment<unknown>, name: string | undefined): AppRuntime {
    const appName = name ?? this.#apps.locate(ingress, undefined)?.app ?? defaultAppName(ingress);
    const known = this.#apps.get(appName);
    const place = this.#apps.locate(ingress, appName);
    if (known !== undefined && place !== undefined && place.deployment === known.spec.ingress) return known;
    if (known !== undefined) {
      throw new ServeError(
        'SERVE_INVALID_OPTION',
        `another app is called '${appName}': pass \`name\`, or upgrade it with serve.run(app, { name: '${appName}' })`,
      );
    }
    return this.#deploy(ingress, appName, null).app;
  }

  app(name: string): AppRuntime | undefined {
    return this.#apps.get(name);
  }

  apps(): Iterable<AppRuntime> {
    return this.#apps;
  }

  /** The route to the ingress of an app; undefined if there is no such app. */
  ingressRoute(name: string): Route | undefined {
    const app = this.#apps.get(name);
    return app === undefined ? undefined : this.#route(name, app.serving.ingress);
  }

  /** A handle to a deployment of an app; without its name to the app's ingress. */
  handle<T>(app: string, deployment = ''): DeploymentHandle<T> {
    return createHandle<T>(this.router, app, deployment);
  }

  /** A handle to a bound deployment: where it runs already, else as an app of its own. */
  handleTo<T>(bound: BoundDeployment<unknown>, appName: string | undefined): DeploymentHandle<T> {
    const place = this.#apps.locate(bound, appName);
    if (place !== undefined) return this.handle<T>(place.app, place.deployment);
    if (appName !== undefined && this.#apps.has(appName)) {
      throw new ServeError('SERVE_NOT_FOUND', `app '${appName}' does not hold that bound deployment`, {
        app: appName,
      });
    }
    const app = this.ensure(bound, appName);
    return this.handle<T>(app.name, app.spec.ingress);
  }

  /** What this instance has, and how much of it is reserved. */
  resources(): Record<string, ResourceReport> {
    return this.#resources.report();
  }

  /**
   * The OpenAPI document of an app.
   * @throws ServeError `SERVE_NOT_FOUND`, `SERVE_DEPLOY_FAILED`, `SERVE_UNAVAILABLE`
   */
  async openapi(name: string, prefix: string | undefined): Promise<OpenApiDocument> {
    const app = this.#apps.existing(name);
    return openApiDocument(await app.describe(), {
      title: name,
      version: this.#version,
      prefix: prefix ?? app.routePrefix ?? '/',
    });
  }

  report(): Record<string, AppReport> {
    return Object.fromEntries(
      [...this.#apps].map((app) => {
        const trial = this.#trials.report(app.name);
        return [app.name, { ...app.report(), ...(trial && { trial }) }];
      }),
    );
  }

  /** How the host's own event loop does. */
  get host(): HostSample {
    return { lagMs: this.#guard.lagMs, shedding: this.#guard.level };
  }

  /** What Prometheus gets to see. */
  samples(): DeploymentSample[] {
    return this.#counted().samples(this.#apps);
  }

  async delete(name: string, timeoutMs?: number, isPatient = false): Promise<void> {
    const [main = '', trial] = name.split('@');
    if (trial !== undefined && this.#trials.has(main)) return this.#trials.end(main);
    const ended = this.#trials.end(name);
    const app = this.#apps.get(name);
    if (app === undefined) return;
    const error = new ServeError('SERVE_UNAVAILABLE', `app '${name}' was deleted`, { app: name });
    // The host's own calls are refused from now on; those that replicas make while they finish are not.
    for (const deployment of ['', ...app.spec.deployments.map((spec) => spec.name)]) {
      this.#route(name, deployment).bar(error);
    }
    await Promise.all([app.delete(timeoutMs, isPatient), ended]);
    // A new app may have taken the name meanwhile.
    if (!this.#apps.remove(app)) return;
    this.httpCounts.ended(name);
    this.#dev?.forget(name);
  }

  /** Makes the apps what a config says. */
  async configure(config: unknown): Promise<void> {
    this.#assertOpen();
    await this.#configured.deploy(config);
  }

  /** Tries a new version beside an app. */
  async try(ingress: BoundDeployment<unknown>, name: string, kind: TrialKind): Promise<void> {
    this.#assertOpen();
    await prepareArguments(ingress);
    await this.#trials.start(ingress, name, kind);
  }

  /** The app goes over to the version that is tried beside it. */
  async promote(name: string): Promise<void> {
    await this.#trials.promote(name);
  }

  /** Goes over to the code on disk: fresh threads import it. */
  async reload(name: string, isWatched = true): Promise<void> {
    const app = this.#apps.existing(name);
    await this.#updateTo(app, app.compiled.source.recompile(), isWatched);
  }

  /** Ends what is tried beside an app, else goes back to what it was before its last update. */
  async rollBack(name: string): Promise<void> {
    const app = this.#apps.existing(name);
    if (this.#trials.has(name)) return this.#trials.end(name);
    if (app.previous === undefined) {
      throw new ServeError('SERVE_NOT_FOUND', `app '${name}' has no earlier version`, { app: name });
    }
    await this.#updateTo(app, app.previous, false);
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Drains every app, then ends all threads. Idempotent. */
  close(timeoutMs: number | undefined): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    // All at once and within the limit, which what is tried beside an app would not have: it ends patiently.
    for (const app of this.#apps) void app.delete(timeoutMs);
    await Promise.all([...this.#apps].map(({ name }) => this.delete(name, timeoutMs)));
    this.#endLoop?.();
    this.#unfollow?.();
    this.#dev?.close();
    this.#guard.stop();
    this.#growth.stop();
    this.router.close(new ServeError('SERVE_UNAVAILABLE', 'the instance is closed'));
    this.#disownHandles();
    this.#ignoreBatches();
    this.events.close();
    this.userMetrics.close();
  }

  #startTrial(compiled: CompiledApp): Promise<void> {
    const { name } = compiled.spec;
    const app = this.#apps.get(name) ?? new AppRuntime(compiled, null, this.#environment);
    this.#apps.add(app);
    return this.#updateTo(app, compiled, true);
  }

  #deploy(
    ingress: BoundDeployment<unknown>,
    name: string,
    routePrefix: string | null,
    options: Omit<CompileOptions, 'revision'> = {},
  ): { app: AppRuntime; deployed: Promise<void> } {
    this.#assertOpen();
    this.#apps.assertPrefixIsFree(name, routePrefix);
    const known = this.#apps.get(name);
    const revision = known?.compiled.revision ?? 0;
    const compiled = compileApp(ingress, name, this.#version, { ...options, revision });
    const app = known ?? new AppRuntime(compiled, routePrefix, this.#environment);
    this.#apps.add(app);
    inRootContext(() => {
      this.#unfollow ??= activeTime.follow();
      this.#endLoop ??= this.#clock.every(TICK_MS, () => this.#tick());
      this.#guard.start();
      this.#growth.start();
    });
    const deployed = this.#updateTo(app, compiled, true);
    deployed.catch(() => {});
    app.routePrefix = routePrefix;
    return { app, deployed };
  }

  #updateTo(app: AppRuntime, compiled: CompiledApp, isWatched: boolean): Promise<void> {
    const deployed = inRootContext(() => app.deploy(compiled, isWatched));
    // A script that only deploys must live until it knows how that went.
    wheel.hold();
    return deployed.finally(() => wheel.release());
  }

  #assertOpen(): void {
    if (this.isClosing) throw new ServeError('SERVE_UNAVAILABLE', 'the instance is closing');
  }

  #route(app: string, deployment: string): Route {
    return this.router.route(app, deployment, routeKey(app, deployment));
  }

  /** With what the host's thread counted up to now. */
  #counted(): CallCounts {
    for (const counted of this.router.takeStats()) this.#book.merge(counted);
    return this.#book;
  }

  #reportUnobserved(failure: UnobservedFailure): void {
    const { error: err, ...about } = failure;
    // Names that are not there may be made up by clients; the log has them.
    const isKnown = this.#apps.get(about.app)?.deployments.has(about.deployment) === true;
    if (isKnown) this.#book.of(about.app, about.deployment).unobserved++;
    this.log.error({ ...about, err }, 'a call failed and nobody looked at it');
    this.events.emit('fault', { ...failure, reason: 'unobserved failure' });
  }

  #tick(): void {
    const at = this.#clock.now();
    for (const app of this.#apps) app.tick(at);
    this.#trials.tick();
    this.#memory.tick();
  }
}
