import { type AppReport, type AppStatus, appStatus, type ScalingReport } from '../../controller/status.ts';
import type { AppSpec, CompiledApp, HostedDeployment } from '../../deployment/app-spec.ts';
import { answers, type IngressFace, notExposable } from '../../deployment/ingress-face.ts';
import type { AppAutoscalingPolicy } from '../../deployment/options/autoscaling-policy.ts';
import { invalidOption, ServeError } from '../../errors.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import type { Logger } from '../../observe/logger.ts';
import type { IngressDescription } from '../../openapi/openapi-types.ts';
import { activeTime } from '../../time/active-time.ts';
import type { Clock } from '../../time/control-clock.ts';
import { inSeconds } from '../../time/in-seconds.ts';
import { sha256 } from '../../values/sha256.ts';
import type { InstanceControl } from '../control.ts';
import type { DeploymentFactory } from '../deployments/deployment-factory.ts';
import type { RunningDeployment, ScalableDeployment } from '../deployments/running-deployment.ts';
import { UpdateBarrier } from '../deployments/update-barrier.ts';
import { AppDeployments } from './app-deployments.ts';

export interface AppRuntimeOptions {
  readonly registry: EndpointRegistry;
  readonly control: InstanceControl;
  readonly clock: Clock;
  readonly deployments: DeploymentFactory;
  readonly log: Logger;
}

/** One app on this instance: its deployments are deployed and stopped together. */
export class AppRuntime {
  readonly name: string;
  readonly #options: AppRuntimeOptions;
  readonly #deployments: AppDeployments;
  #compiled: CompiledApp;
  /** The version that took over last. */
  #current: CompiledApp | undefined = undefined;
  /** The version that served before. */
  #previous: CompiledApp | undefined = undefined;
  #group: UpdateBarrier | undefined = undefined;
  /** Set while the deployments are told their new specs: until then they keep their old numbers of replicas. */
  #isTelling = false;
  #ready: Promise<void> = Promise.resolve();
  #deleting: Promise<void> | undefined = undefined;
  /** Methods of the serving ingress that only its replicas show. */
  #hidden: { readonly spec: AppSpec; readonly face: IngressFace } | undefined = undefined;
  /** Whether its deployments have become a part of another app. */
  isUnited = false;
  #routePrefix: string | null;
  #hasDefaultPrefix = false;

  constructor(compiled: CompiledApp, routePrefix: string | null, options: AppRuntimeOptions) {
    this.name = compiled.spec.name;
    this.#compiled = compiled;
    this.#routePrefix = routePrefix;
    this.#options = options;
    this.#deployments = new AppDeployments(this.name, options.deployments);
  }

  /** Prefix under which `middleware()` serves the app; `null` = not exposed. An app without endpoints takes none by default. */
  get routePrefix(): string | null {
    return this.#hasDefaultPrefix && this.notExposable !== undefined ? null : this.#routePrefix;
  }

  set routePrefix(prefix: string | null) {
    this.#routePrefix = prefix;
    this.#hasDefaultPrefix = false;
  }

  /** Takes the default prefix. */
  takeDefaultPrefix(prefix: string | null): void {
    this.#routePrefix = prefix;
    this.#hasDefaultPrefix = true;
  }

  /** Whether the app holds the prefix only in case its replicas answer requests that its class does not show. */
  get isPrefixProvisional(): boolean {
    return this.#hasDefaultPrefix && this.face === undefined;
  }

  /** The current version, or the one being deployed. */
  get compiled(): CompiledApp {
    return this.#compiled;
  }

  /** The version that `rollback` restores. */
  get previous(): CompiledApp | undefined {
    return this.#previous;
  }

  get spec(): AppSpec {
    return this.compiled.spec;
  }

  get deployments(): ReadonlyMap<string, RunningDeployment> {
    return this.#deployments.byName;
  }

  /** The version that receives calls: during an update, still the previous one. */
  get serving(): AppSpec {
    return (this.#current ?? this.#compiled).spec;
  }

  /** Kinds of requests that the serving ingress answers. Undefined if only a replica can tell, and none has answered yet. */
  get face(): IngressFace | undefined {
    const { serving } = this;
    if (this.#hidden?.spec === serving) return this.#hidden.face;
    return answers(serving.ingressFace) ? serving.ingressFace : undefined;
  }

  /** Resolves once it is known whether the app can be exposed; at once if its class shows that it can. */
  async faceKnown(): Promise<void> {
    if (this.face === undefined) await this.#ready.catch(() => {});
  }

  /** The reason why the app cannot be reached from outside; undefined if it can, or might be. */
  get notExposable(): ServeError | undefined {
    const { face } = this;
    if (face === undefined || answers(face)) return undefined;
    const { ingress: deployment, ingressClass } = this.serving;
    return notExposable(ingressClass || deployment, { app: this.name, deployment });
  }

  get status(): AppStatus {
    const statuses = [...this.#deployments].map(({ status }) => status);
    return appStatus(statuses, this.#deleting !== undefined);
  }

  /** Resolves once every deployment can serve; rejects with the first `SERVE_DEPLOY_FAILED`. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Whether every deployment can serve, including those scaled to zero, which start with the first call. */
  get isRoutable(): boolean {
    for (const deployment of this.#deployments) if (!deployment.isReady) return false;
    return this.#deleting === undefined;
  }

  /** Whether a deployment of the app cannot recover within this process. */
  get isDegraded(): boolean {
    return [...this.#deployments].some(({ isDegraded }) => isDegraded);
  }

  /**
   * Deploys the app: new deployments start, changed ones are updated, removed ones stop. All or none: if one deployment
   * fails, all return to their previous version.
   *
   * @param isWatched calls to the new version are compared with those to the old one
   */
  deploy(compiled: CompiledApp, isWatched = true): Promise<void> {
    for (const { name, options } of compiled.spec.deployments) {
      const known = this.#deployments.get(name)?.spec.options.isolation ?? options.isolation;
      if (known === options.isolation) continue;
      const allowed = `'${known}': the isolation cannot change in place, so delete the app first`;
      throw invalidOption(`${name}: isolation`, options.isolation, allowed);
    }
    return this.#updateTo(compiled, this.#current, isWatched, '');
  }

  #updateTo(
    compiled: CompiledApp,
    fallback: CompiledApp | undefined,
    isWatched: boolean,
    note: string,
  ): Promise<void> {
    const outgoing = this.#compiled;
    const since = activeTime.now();
    this.#compiled = compiled;
    const { deployments, ingress } = compiled.spec;
    const failure = Promise.withResolvers<never>();
    failure.promise.catch(() => {});
    const group = new UpdateBarrier(
      deployments.map(({ name }) => name),
      isWatched && fallback !== undefined,
      () => queueMicrotask(() => this.tick(this.#options.clock.now())),
      (error) => {
        if (group !== this.#group || this.#deleting !== undefined || fallback === undefined) return false;
        failure.reject(error);
        this.#current = fallback;
        this.#updateTo(fallback, undefined, false, `rolled back: ${error.message}`).catch(() => {});
        return true;
      },
    );
    this.#group = group;
    // Callers of the old ingress move to the new one when it can serve.
    const { registry } = this.#options;
    if (fallback === undefined && this.#current === undefined) registry.setIngress(this.name, ingress);
    const started = this.#deployAll(compiled, group, note);
    this.#ready = Promise.race([failure.promise, started]).then(async () => {
      if (group === this.#group && !answers(compiled.spec.ingressFace))
        await this.#lookAtIngress(compiled.spec);
      if (group !== this.#group) return;
      this.#current = compiled;
      this.#previous = fallback ?? this.#previous;
      registry.setIngress(this.name, ingress);
      this.#tellReady(fallback ?? (note === '' ? undefined : outgoing), note, activeTime.now() - since);
      await this.#closeLeaving(outgoing, group);
    });
    this.#ready.catch(() => {});
    return this.#ready;
  }

  /** @param before the version that served before; undefined if this is the first */
  #tellReady(before: CompiledApp | undefined, note: string, tookMs: number): void {
    const version = versionOf(this.spec);
    const about = { app: this.name, version, tookMs: Math.round(tookMs) };
    const how =
      before === undefined
        ? `ready after ${inSeconds(tookMs)}`
        : note !== ''
          ? `back at version ${version}, ${note}`
          : version === versionOf(before.spec)
            ? `changed in place after ${inSeconds(tookMs)}`
            : `updated to version ${version} after ${inSeconds(tookMs)}`;
    this.#options.log.info(about, `app '${this.name}' is ${how}`);
  }

  /** Asks a replica for methods that the class does not show. A replica that does not answer may have any. */
  async #lookAtIngress(spec: AppSpec): Promise<void> {
    const description = await this.#deployments
      .get(spec.ingress)
      ?.describe()
      .catch(() => undefined);
    if (description?.face !== undefined) this.#hidden = { spec, face: description.face };
  }

  /** Stops deployments that the app no longer has, once earlier requests have ended: these may still call them. */
  async #closeLeaving(outgoing: CompiledApp, group: UpdateBarrier): Promise<void> {
    const isWanted = (name: string): boolean => this.spec.deployments.some((spec) => spec.name === name);
    const leaving = (): string[] =>
      this.#deployments
        .callersFirst([outgoing.spec])
        .filter((name) => !isWanted(name) && this.#deployments.closing(name) === undefined);
    if (leaving().length === 0) return;
    await Promise.all([...this.#deployments].map((deployment) => deployment.predecessorsGone()));
    for (const name of leaving()) {
      // Another version may have been requested in the meantime: it stops the deployments that it no longer has.
      if (group !== this.#group || this.#deleting !== undefined) return;
      await this.#deployments.closeOne(name, undefined, true);
    }
  }

  /** The plan changed. */
  followPlan(): void {
    if (this.#isTelling) return;
    for (const deployment of this.#deployments) deployment.followPlan();
  }

  get autoscalingPolicy(): AppAutoscalingPolicy | undefined {
    return this.#compiled.source.autoscalingPolicy;
  }

  scalable(deployment: string): ScalableDeployment | undefined {
    return this.#deployments.get(deployment)?.scalable;
  }

  tick(at: number): void {
    for (const deployment of this.#deployments) deployment.tick(at);
  }

  *replicas(): Generator<ManagedReplica> {
    for (const deployment of this.#deployments) yield* deployment.replicas();
  }

  destroy(replicaId: string, why: string): boolean {
    return [...this.#deployments].some((deployment) => deployment.destroy(replicaId, why));
  }

  /** The ingress, as a replica describes it, once the app is deployed. */
  async describe(): Promise<IngressDescription> {
    // A version that keeps serving after a failed update describes itself.
    if (!this.isRoutable) await this.#ready;
    const deployment = this.serving.ingress;
    const description = await this.#deployments.get(deployment)?.describe();
    if (description !== undefined) return description;
    throw new ServeError('SERVE_UNAVAILABLE', `${deployment}: no replica runs`, {
      app: this.name,
      deployment,
    });
  }

  /** @param scaling the last decision about a deployment */
  report(scaling: (deployment: string) => ScalingReport | undefined): AppReport {
    const deployments = [...this.deployments].map(
      ([name, deployment]) => [name, { ...deployment.report(), scaling: scaling(name) }] as const,
    );
    return {
      status: this.status,
      routePrefix: this.routePrefix,
      version: versionOf(this.spec),
      deployments: Object.fromEntries(deployments),
    };
  }

  /**
   * Stops callers before callees, so that calls in flight find their children. Idempotent.
   * @param timeoutMs limit in all; undefined: each deployment's `gracefulShutdownTimeoutMs`
   */
  delete(timeoutMs: number | undefined, isPatient = false): Promise<void> {
    this.#deleting ??= this.#deleteAll(timeoutMs, isPatient);
    return this.#deleting;
  }

  async #deleteAll(timeoutMs: number | undefined, isPatient: boolean): Promise<void> {
    this.#options.control.withdraw(this.name);
    const deadline = timeoutMs === undefined ? Infinity : activeTime.now() + timeoutMs;
    for (const name of this.#deployments.callersFirst([this.spec, this.serving]))
      await this.#deployments.closeOne(name, deadline - activeTime.now(), isPatient);
  }

  /** Declares the new specs and passes them to the deployments, which then find their numbers of replicas in the plan. */
  #deployAll({ spec, source }: CompiledApp, group: UpdateBarrier, note: string): Promise<unknown> {
    const { control } = this.#options;
    this.#isTelling = true;
    try {
      if (this.#deleting === undefined) control.declare(spec);
      return Promise.all(source.deployments.map((deployment) => this.#deployOne(deployment, group, note)));
    } finally {
      this.#isTelling = false;
      control.wake();
    }
  }

  async #deployOne(spec: HostedDeployment, group: UpdateBarrier, note: string): Promise<void> {
    const closing = this.#deployments.closing(spec.name);
    if (closing === undefined) return this.#deployments.deploy(spec, group, note);
    await closing;
    const about = { app: this.name, deployment: spec.name };
    if (group !== this.#group || this.#deleting !== undefined)
      throw new ServeError('SERVE_UNAVAILABLE', `${spec.name}: superseded by a newer deploy`, about);
    const started = this.#deployments.deploy(spec, group, note);
    this.#options.control.wake();
    return started;
  }
}

/** The version of the ingress if the app has one deployment, else a hash of all versions. */
function versionOf({ deployments }: AppSpec): string {
  const [first, ...others] = deployments;
  if (first === undefined || others.length === 0) return first?.version ?? '';
  return sha256(deployments.map(({ name, version }) => `${name}=${version}`).join()).slice(0, 12);
}
