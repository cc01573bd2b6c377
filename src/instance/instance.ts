import { observeBatches } from '../batching/batch.ts';
import type { CallChannel } from '../channel/call-channel.ts';
import type { AppReport } from '../controller/status.ts';
import type { BoundDeployment } from '../deployment/bound.ts';
import type { AppAutoscalingPolicy } from '../deployment/options/autoscaling-policy.ts';
import type { TrialKind } from '../deployment/options/trial-options.ts';
import { ServeError } from '../errors.ts';
import { adoptHandles, createHandle } from '../handle/api/handle.ts';
import type { DeploymentHandle } from '../handle/api/handle-types.ts';
import { AdmissionControl } from '../handle/queue/admission-control.ts';
import type { TenantsOptions } from '../handle/queue/tenants.ts';
import { type DirectoryEvent, routeKey } from '../handle/routing/directory.ts';
import { EndpointRegistry } from '../handle/routing/endpoint-registry.ts';
import type { PeerLink } from '../handle/routing/link.ts';
import { RegistryDirectory } from '../handle/routing/registry-directory.ts';
import type { Route } from '../handle/routing/route.ts';
import { Router } from '../handle/routing/router.ts';
import { threadConnector } from '../handle/routing/thread-link.ts';
import { InlineReplicas } from '../isolation/inline/inline-replicas.ts';
import { ThreadHosts } from '../isolation/thread/thread-hosts.ts';
import { CallCounts } from '../observe/call-counts.ts';
import { Events } from '../observe/events.ts';
import { HttpCounts } from '../observe/http-counts.ts';
import type { Logger } from '../observe/logger.ts';
import type { HostSample } from '../observe/metrics.ts';
import type { DeploymentSample } from '../observe/samples.ts';
import { openApiDocument } from '../openapi/document.ts';
import type { OpenApiDocument } from '../openapi/openapi-types.ts';
import { MemoryStore } from '../store/memory-store.ts';
import type { Scale } from '../store/snapshot.ts';
import { activeTime } from '../time/active-time.ts';
import type { Clock } from '../time/control-clock.ts';
import { HostMetrics } from '../user-metrics/host-metrics.ts';
import type { Apps } from './apps/app-registry.ts';
import type { AppRuntime } from './apps/app-runtime.ts';
import { DevReload } from './apps/dev-reload.ts';
import { triedApp } from './apps/trial-name.ts';
import { ControlPlane } from './control-plane.ts';
import { type FleetPart, InstanceFleet } from './fleet/instance-fleet.ts';
import { MemoryGrowthGuard } from './guards/memory-growth-guard.ts';
import { OverloadGuard } from './guards/overload-guard.ts';
import { ProcessMemoryGuard } from './guards/process-memory-guard.ts';
import { randomId } from './ids.ts';
import type { InstanceOptions } from './instance-options.ts';
import { type StatusReport, statusReport } from './instance-status.ts';
import { detectMemoryMb } from './resources/machine.ts';
import { ResourceLedger, type ResourceReport } from './resources/resource-ledger.ts';
import { UnobservedFailures } from './unobserved-failures.ts';

/** Period of the control loop. */
const TICK_MS = 250;

/** All parts that run for one `Serve`: the apps, the host's router, and the control loop. */
export class Instance {
  readonly id: string = randomId(8);
  /** A timestamp like `Date.now()`. */
  readonly startedAt: number = Date.now();
  readonly events: Events;
  readonly log: Logger;
  readonly router: Router;
  readonly userMetrics: HostMetrics;
  readonly httpCounts: HttpCounts = new HttpCounts();
  readonly #plane: ControlPlane;
  readonly #registry = new EndpointRegistry();
  readonly #disownHandles: () => void;
  readonly #ignoreBatches: () => void;
  readonly #version: string;
  readonly #memory: ProcessMemoryGuard;
  readonly #resources: ResourceLedger;
  readonly #dev: DevReload | undefined;
  readonly #guard: OverloadGuard;
  readonly #growth: MemoryGrowthGuard;
  /** Undefined: the instance belongs to no fleet. */
  readonly fleet: InstanceFleet | undefined;
  #callers = 0;
  readonly #clock: Clock;
  #endLoop: (() => void) | undefined = undefined;
  #unfollow: (() => void) | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;
  #isDraining = false;
  /** Counts of all threads since the start. */
  readonly #book = new CallCounts(
    (app, deployment) => this.#apps.get(app)?.deployments.has(deployment) === true,
  );

  constructor(options: InstanceOptions) {
    this.log = options.log;
    this.#clock = options.clock;
    this.#version = options.version;
    this.events = new Events((err) => this.log.error({ err }, 'a listener of serve.on() threw'));
    this.userMetrics = new HostMetrics((name, why) =>
      this.log.warn({ metric: name }, `metric ${name} is kept only in part: ${why}`),
    );
    this.#resources = new ResourceLedger(options.resources, this.id, this.log);
    const unobserved = new UnobservedFailures(this.#book, this.log, this.events);
    const inlineReplicas = new InlineReplicas(this.id);
    const gate = new AdmissionControl(options.tenants);
    this.#guard = new OverloadGuard(options.hostGuard, gate, this.events, this.log);
    const caller = { index: 0, instanceId: this.id, name: `${this.id}.0` };
    const port = { caller, send: (event: DirectoryEvent) => this.router.apply(event) };
    this.router = new Router(caller, new RegistryDirectory(this.#registry, port), {
      gate,
      connectors: {
        thread: threadConnector,
        inline: { connect: (link) => inlineReplicas.make(link) },
        peer: { connect: (link, onGone) => this.#peerChannel(link, onGone) },
      },
      onUnobserved: (error, { route, method, requestId }) => {
        const { app, deployment } = route;
        unobserved.report({ app, deployment, method, requestId, error });
      },
    });
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
      this.#apps.destroy(replicaId, why),
    );
    this.#dev = options.isDev
      ? new DevReload((name) => this.#plane.deployer.reload(name, false), this.log)
      : undefined;
    this.fleet = options.fleet && this.#joinFleet(options.fleet, options.tenants);
    this.#plane = new ControlPlane({
      store: new MemoryStore(),
      instanceId: this.id,
      registry: this.#registry,
      inlineReplicas,
      events: this.events,
      log: this.log,
      clock: this.#clock,
      resources: this.#resources,
      replicaHosts: () => new ThreadHosts(options.workerEntry),
      dev: this.#dev,
      tenants: options.tenants,
      nextCallerIndex: () => ++this.#callers,
      book: this.#book,
      userMetrics: this.userMetrics,
      unobserved,
      router: this.router,
      httpCounts: this.httpCounts,
      version: options.version,
      isInline: options.isInline,
      decided: this.fleet?.decided,
      counts: (app, deployment) => this.#counted().of(app, deployment).counters.counts,
      begin: () => this.#begin(),
    });
    this.fleet?.start({
      codeVersion: options.version,
      control: this.#plane.control,
      apps: () => this.#apps,
      lagMs: () => this.#guard.lagMs,
      targetsChanged: () => this.#plane.wake(),
      actions: this.#plane.orderedActions,
    });
  }

  #joinFleet(part: FleetPart, tenants: TenantsOptions | undefined): InstanceFleet {
    return new InstanceFleet(part, {
      instanceId: this.id,
      registry: this.#registry,
      events: this.events,
      log: this.log,
      tenants,
      resources: this.#resources,
      nextCallerIndex: () => ++this.#callers,
      count: (calls) => {
        for (const counted of calls) this.#book.merge(counted);
      },
    });
  }

  #peerChannel(link: PeerLink, onGone: () => void): CallChannel {
    if (this.fleet === undefined) throw new TypeError('the instance belongs to no fleet');
    return this.fleet.connect(link, onGone);
  }

  /** Deploys an app, or another version of it. */
  deploy(
    ingress: BoundDeployment<unknown>,
    name: string,
    routePrefix: string | null | undefined,
    policy?: AppAutoscalingPolicy,
  ): Promise<void> {
    const options = policy === undefined ? {} : { autoscalingPolicy: policy };
    return this.#plane.deployer.deploy(ingress, name, routePrefix, options);
  }

  /** The app of a bound deployment; deploys it in the background unless it runs. @throws ServeError `SERVE_INVALID_OPTION` */
  ensure(ingress: BoundDeployment<unknown>, name: string | undefined): AppRuntime {
    return this.#plane.deployer.ensure(ingress, name);
  }

  app(name: string): AppRuntime | undefined {
    return this.#apps.get(name);
  }

  apps(): Iterable<AppRuntime> {
    return this.#apps;
  }

  /** The ingress deployment of an app that this instance has, or that only other instances of its fleet have. */
  ingressOf(name: string): string | undefined {
    return this.#apps.get(name)?.serving.ingress ?? this.#registry.ingressOf(name);
  }

  /** The route to the ingress of an app; undefined if the app does not exist. */
  ingressRoute(name: string): Route | undefined {
    const ingress = this.ingressOf(name);
    return ingress === undefined ? undefined : this.#route(name, ingress);
  }

  /** A handle to a deployment of an app; without a deployment's name, to the app's ingress. */
  handle<T>(app: string, deployment = ''): DeploymentHandle<T> {
    return createHandle<T>(this.router, app, deployment);
  }

  /** A handle to a bound deployment: to the running one, else to an app of its own. */
  handleTo<T>(bound: BoundDeployment<unknown>, appName: string | undefined): DeploymentHandle<T> {
    const place = this.#apps.locate(bound, appName);
    if (place !== undefined) return this.handle<T>(place.app, place.deployment);
    if (appName !== undefined && this.#apps.has(appName)) {
      throw new ServeError('SERVE_NOT_FOUND', `app '${appName}' does not hold that bound deployment`, {
        app: appName,
      });
    }
    const app = this.#plane.deployer.ensure(bound, appName, appName === undefined);
    return this.handle<T>(app.name, app.spec.ingress);
  }

  /** The resources of this instance, and how much of them is reserved. */
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
    return this.#plane.report();
  }

  /** The state of the instance and of everything that runs in it, and of its fleet. */
  status(): StatusReport {
    const { id, startedAt, isLeaving, fleet } = this;
    const state = isLeaving ? 'CLOSING' : 'ALIVE';
    const lagMs = Math.round(this.host.lagMs * 10) / 10;
    const own = { id, address: undefined, state, startedAt, lagMs, resources: this.resources() } as const;
    return statusReport(own, this.report(), fleet?.name, fleet?.view, fleet?.ejected ?? new Map());
  }

  /** State of the host's own event loop. */
  get host(): HostSample {
    return { lagMs: this.#guard.lagMs, shedding: this.#guard.level };
  }

  /** The labels of `serve_info`. */
  get info(): Record<string, string> {
    return { instance_id: this.id, app_version: this.#version, node_version: process.versions.node };
  }

  /** The metrics for Prometheus. The memory of replicas is as of the last measurement, and is measured again. */
  samples(): DeploymentSample[] {
    for (const replica of this.#apps.replicas()) void replica.memory();
    return this.#counted().samples(this.report());
  }

  /** Drains an app and stops it. An unknown name is skipped. */
  async delete(name: string): Promise<void> {
    const { fleet } = this.#plane.control;
    const isKnown = this.#apps.has(name) || fleet?.isInFleet(name) === true;
    // Outside a fleet the app refuses calls from this very turn on.
    if (fleet !== undefined && isKnown && triedApp(name) === undefined)
      await fleet.order({ kind: 'delete', app: name });
    await this.#plane.delete(name);
  }

  /** Moves all replicas off an instance of the fleet, or lets it have replicas again. */
  async drainInstance(instance: string, isDraining: boolean): Promise<void> {
    const { fleet } = this.#plane.control;
    if (fleet === undefined)
      throw new ServeError(
        'SERVE_UNAVAILABLE',
        'the instance belongs to no fleet, so no other instance can take its replicas',
      );
    if (!this.status().instances.some(({ id }) => id === instance))
      throw new ServeError(
        'SERVE_NOT_FOUND',
        `the fleet has no instance '${instance}'; serve.status().instances lists its instances`,
      );
    await fleet.order({ kind: 'drain', instance, isDraining });
  }

  /** Applies a config: deploys, updates and deletes apps as it says. */
  async configure(config: unknown): Promise<void> {
    await this.#plane.configure(config);
  }

  /** Sets the number of replicas of a deployment, or its bounds. */
  async scale(app: string, deployment: string, scale: Scale): Promise<void> {
    await this.#plane.scale(app, deployment, scale);
  }

  /** Tries a new version beside an app. */
  async try(ingress: BoundDeployment<unknown>, name: string, kind: TrialKind): Promise<void> {
    await this.#plane.startTrial(ingress, name, kind);
  }

  /** Updates the app to the version on trial. */
  async promote(name: string): Promise<void> {
    await this.#plane.promote(name);
  }

  /** Updates an app to the code on disk: fresh threads import it. */
  async reload(name: string): Promise<void> {
    await this.#plane.deployer.reload(name);
  }

  /** Ends the trial beside an app, else rolls the app back to the version before its last update. */
  async rollBack(name: string): Promise<void> {
    await this.#plane.rollBack(name);
  }

  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  /** Whether it will close, or is closing. It still serves until it does. */
  get isLeaving(): boolean {
    return this.#isDraining || this.isClosing;
  }

  /** Makes the instance not ready, so that clients go elsewhere; requests that still arrive are served. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Drains every app, then ends all threads. Idempotent. */
  close(timeoutMs: number | undefined): Promise<void> {
    this.#closing ??= this.#close(timeoutMs);
    return this.#closing;
  }

  async #close(timeoutMs: number | undefined): Promise<void> {
    if (this.fleet !== undefined) await this.fleet.leave(timeoutMs);
    await this.#plane.close(timeoutMs);
    await this.fleet?.close();
    this.#endLoop?.();
    this.#unfollow?.();
    this.#dev?.close();
    this.#guard.close();
    this.#growth.close();
    this.router.close(new ServeError('SERVE_UNAVAILABLE', 'the instance is closed'));
    this.#disownHandles();
    this.#ignoreBatches();
    this.events.close();
    this.userMetrics.close();
  }

  #begin(): void {
    this.#unfollow = activeTime.follow();
    this.#endLoop = this.#clock.every(TICK_MS, () => this.#tick());
    this.#guard.start();
    this.#growth.start();
  }

  get #apps(): Apps {
    return this.#plane.apps;
  }

  #route(app: string, deployment: string): Route {
    return this.router.route(app, deployment, routeKey(app, deployment));
  }

  /** Counts of all threads, brought up to date with those of the host's thread. */
  #counted(): CallCounts {
    for (const counted of this.router.takeStats()) this.#book.merge(counted);
    return this.#book;
  }

  #tick(): void {
    this.#plane.tick(this.#clock.now());
    this.#memory.tick();
  }
}
