import type { VersionRecord } from '../../../controller/roll-out.ts';
import type { DeploymentReport, DeploymentStatus } from '../../../controller/status.ts';
import type { HostedDeployment } from '../../../deployment/app-spec.ts';
import type { ServeError } from '../../../errors.ts';
import type { TenantsOptions } from '../../../handle/queue/tenants.ts';
import { type RouteKey, routeKey } from '../../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../../handle/routing/endpoint-registry.ts';
import type { InlineReplicas } from '../../../isolation/inline/inline-replicas.ts';
import type { ManagedReplica } from '../../../isolation/managed-replica.ts';
import { NO_CALLS } from '../../../load/replica-tally.ts';
import type { IngressDescription } from '../../../openapi/openapi-types.ts';
import { activeTime } from '../../../time/active-time.ts';
import type { Clock } from '../../../time/control-clock.ts';
import { within } from '../../../time/timeout.ts';
import type { HostMetrics } from '../../../user-metrics/host-metrics.ts';
import { messageOf } from '../../../values/describe-value.ts';
import type { DeploymentReporter } from '../deployment-reporter.ts';
import { queueEmptied } from '../queue-emptied.ts';
import { routeConfig } from '../route-config.ts';
import type { RunningDeployment } from '../running-deployment.ts';
import type { UpdateBarrier } from '../update-barrier.ts';
import { InlineVersion } from './inline-version.ts';
import { InlineWatch } from './inline-watch.ts';

export interface InlineDeploymentOptions {
  readonly instanceId: string;
  readonly registry: EndpointRegistry;
  readonly inlineReplicas: InlineReplicas;
  readonly clock: Clock;
  readonly tenants: TenantsOptions | undefined;
  readonly userMetrics: HostMetrics;
  readonly reporter: DeploymentReporter;
}

/** A version that works, and waits for the other deployments of the app. */
interface Successor {
  readonly version: InlineVersion;
  readonly group: UpdateBarrier;
  readonly took: PromiseWithResolvers<void>;
}

/** A deployment on the callers' own event loops: one replica per caller thread, created by the first call. */
export class InlineDeployment implements RunningDeployment {
  readonly #key: RouteKey;
  readonly #app: string;
  readonly #options: InlineDeploymentOptions;
  readonly #reporter: DeploymentReporter;
  #spec: HostedDeployment;
  #status: DeploymentStatus = 'UPDATING';
  #startedAt = Date.now();
  #message = '';
  #note = '';
  #serving: InlineVersion | undefined = undefined;
  #successor: Successor | undefined = undefined;
  /** Promises of the ends of replaced versions. */
  readonly #leaving = new Set<Promise<void>>();
  #isStopping = false;
  #group: UpdateBarrier | undefined = undefined;
  readonly #watch = new InlineWatch();

  constructor(app: string, spec: HostedDeployment, options: InlineDeploymentOptions) {
    this.#app = app;
    this.#spec = spec;
    this.#options = options;
    this.#reporter = options.reporter;
    this.#key = routeKey(app, spec.name);
    this.#configure();
  }

  get spec(): HostedDeployment {
    return this.#spec;
  }

  get status(): DeploymentStatus {
    return this.#status;
  }

  get isRoutable(): boolean {
    return this.#serving !== undefined;
  }

  get isReady(): boolean {
    return this.isRoutable;
  }

  get isDegraded(): boolean {
    return false;
  }

  /** Creates the host's replica, so that a failing constructor is known at deploy time. */
  async start(group: UpdateBarrier): Promise<void> {
    const { name } = this.#spec;
    this.#group = group;
    const version = await this.#make(this.#spec, group);
    if (this.#serving === undefined) {
      group.arrived(name);
      this.#takeOver(version);
      return;
    }
    // New callees may not exist yet; former callees are still needed by callers of the previous version.
    group.hold(name);
    group.arrived(name);
    const took = Promise.withResolvers<void>();
    this.#successor = { version, group, took };
    this.tick(this.#options.clock.now());
    await took.promise;
  }

  /** Changes that concern only callers apply in place; for all others every caller thread creates a new replica. */
  async update(spec: HostedDeployment, group: UpdateBarrier, note: string): Promise<void> {
    this.#destroySuccessor();
    this.#spec = spec;
    this.#note = note;
    this.#configure();
    if (this.#serving?.is(spec) !== true) return this.start(group);
    group.arrived(spec.name);
    this.#setStatus('HEALTHY', note);
  }

  /** The successor takes over together with the others of its group. */
  tick(at: number): void {
    const fault = this.#watch.look(at, this.#spec.options.rollout.observeMs);
    if (fault !== undefined) this.#faulted(fault);
    if (this.#successor?.group.isReady !== true) return;
    const { version, group, took } = this.#successor;
    this.#successor = undefined;
    this.#takeOver(version);
    void this.predecessorsGone().then(() => group.release(this.#spec.name));
    took.resolve();
  }

  /** Every caller thread creates its own replica. */
  get scalable(): undefined {
    return undefined;
  }

  followPlan(): void {}

  replicas(): ManagedReplica[] {
    return [];
  }

  destroy(): boolean {
    return false;
  }

  /** Counts of the calls from the host's thread, by which calls enter the app. */
  observe(): VersionRecord {
    const tally = this.#serving?.channel.tally;
    if (tally === undefined) return { ...NO_CALLS, deaths: 0 };
    tally.isObserved = true;
    return { ...tally.read(), deaths: 0 };
  }

  ignore(): void {
    if (this.#serving !== undefined) this.#serving.channel.tally.isObserved = false;
  }

  async describe(): Promise<IngressDescription | undefined> {
    return this.#serving?.channel.describe();
  }

  async predecessorsGone(): Promise<void> {
    await Promise.all(this.#leaving);
  }

  report(): Omit<DeploymentReport, 'scaling'> {
    const { instanceId, registry } = this.#options;
    const serving = this.#serving;
    return {
      status: this.#status,
      message: this.#message,
      targetReplicas: 1,
      replicaStates: serving === undefined ? {} : { RUNNING: 1 },
      replicas:
        serving === undefined
          ? []
          : [
              {
                id: serving.descriptor.replicaId,
                state: 'RUNNING',
                instance: instanceId,
                version: serving.descriptor.version,
                rank: 0,
                startedAt: this.#startedAt,
                ongoing: serving.channel.ongoing,
                utilization: 0,
                memoryBytes: undefined,
                models: undefined,
              },
            ],
      queued: registry.load(this.#key)?.queued ?? 0,
      restarts: 0,
      lastError: this.#reporter.lastError,
      nextTryAt: undefined,
      scheduling: undefined,
      pending: undefined,
    };
  }

  async close(timeoutMs: number, error: ServeError): Promise<void> {
    this.#isStopping = true;
    this.#destroySuccessor();
    const deadline = activeTime.now() + timeoutMs;
    const { registry, inlineReplicas } = this.#options;
    await queueEmptied(registry.load(this.#key), () => this.isRoutable, deadline);
    const serving = this.#serving;
    this.#serving = undefined;
    registry.remove(this.#key, error);
    if (serving !== undefined) inlineReplicas.forget(serving.descriptor.replicaId);
    serving?.channel.close();
    const ends = [serving?.channel.ended, ...this.#leaving];
    await within(Math.max(0, deadline - activeTime.now()), Promise.all(ends));
    this.#options.userMetrics.ended(this.#app, this.#spec.name);
  }

  /** The new version serves, and is rejected. */
  #faulted(fault: string): void {
    const failure = this.#reporter.failed(`new version rejected: ${fault}`, new Error(fault));
    this.#reporter.fault('rollout', failure);
    if (this.#spec.options.rollout.autoRollback && this.#group?.failed(failure) === true) return;
    this.#setStatus('HEALTHY', failure.message);
  }

  #takeOver(version: InlineVersion): void {
    const { registry, inlineReplicas, clock } = this.#options;
    const { observeMs } = this.#spec.options.rollout;
    this.#watch.follow(version.channel.tally, clock.now(), this.#group?.isWatched === true ? observeMs : 0);
    const previous = this.#serving;
    this.#serving = version;
    const replaced = registry.replace(this.#key, version);
    if (previous !== undefined) {
      inlineReplicas.forget(previous.descriptor.replicaId);
      const ended = previous.close(replaced).finally(() => this.#leaving.delete(ended));
      this.#leaving.add(ended);
    }
    this.#setStatus('HEALTHY', this.#note);
  }

  /** Another version is wanted now. */
  #destroySuccessor(): void {
    const successor = this.#successor;
    if (successor === undefined) return;
    this.#successor = undefined;
    this.#closeUnused(successor.version);
    successor.took.reject(this.#superseded());
  }

  /** No caller uses the version yet. */
  #closeUnused({ channel, descriptor }: InlineVersion): void {
    this.#options.inlineReplicas.forget(descriptor.replicaId);
    channel.close();
  }

  #configure(): void {
    const { registry, tenants } = this.#options;
    const { maxQueuedRequests } = this.#spec.options;
    registry.configure(this.#key, routeConfig(this.#spec, tenants), maxQueuedRequests);
  }

  async #make(spec: HostedDeployment, group: UpdateBarrier): Promise<InlineVersion> {
    const { instanceId, inlineReplicas } = this.#options;
    let version: InlineVersion;
    try {
      version = await InlineVersion.make(this.#app, spec, instanceId, inlineReplicas);
    } catch (cause) {
      if (spec !== this.#spec) throw this.#superseded();
      const failure = this.#failed(cause);
      if (spec.options.rollout.autoRollback) group.failed(failure);
      throw failure;
    }
    if (spec === this.#spec && !this.#isStopping) return version;
    this.#closeUnused(version);
    throw this.#superseded();
  }

  #superseded(): ServeError {
    return this.#reporter.unavailable('superseded by a newer deploy');
  }

  #failed(cause: unknown): ServeError {
    const error = this.#reporter.failed(messageOf(cause), cause);
    if (this.#serving === undefined) this.#options.registry.fail(this.#key, error);
    this.#setStatus('DEPLOY_FAILED', error.message);
    return error;
  }

  #setStatus(status: DeploymentStatus, message: string): void {
    this.#status = status;
    this.#message = message;
    this.#reporter.status(status, message);
  }
}
