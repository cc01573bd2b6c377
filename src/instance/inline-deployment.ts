import type { VersionRecord } from '../controller/roll-out.ts';
import type { DeploymentReport, DeploymentStatus } from '../controller/status.ts';
import type { DeploymentSpec } from '../deployment/app-spec.ts';
import { ServeError } from '../errors.ts';
import { type InlineDescriptor, type RouteKey, routeKey } from '../handle/directory.ts';
import type { IngressDescription } from '../openapi/types.ts';
import { NO_CALLS } from '../pool/replica-tally.ts';
import type { InlineChannel } from '../replica/inline-channel.ts';
import { pack } from '../values/pack.ts';
import type { Environment } from './environment.ts';
import { randomId } from './ids.ts';
import { routeConfig } from './route-config.ts';
import type { RunningDeployment } from './running-deployment.ts';
import type { ThreadReplica } from './thread-replica.ts';
import type { UpdateGroup } from './update-group.ts';

/** A deployment on the callers' own event loops: one replica per caller thread, made when it is first called. */
export class InlineDeployment implements RunningDeployment {
  readonly #key: RouteKey;
  readonly #app: string;
  readonly #environment: Environment;
  #spec: DeploymentSpec;
  #status: DeploymentStatus = 'UPDATING';
  #message = '';
  #note = '';
  #descriptor: InlineDescriptor | undefined = undefined;
  #channel: InlineChannel | undefined = undefined;

  constructor(app: string, spec: DeploymentSpec, environment: Environment) {
    this.#app = app;
    this.#spec = spec;
    this.#environment = environment;
    this.#key = routeKey(app, spec.name);
    this.#configure();
  }

  get spec(): DeploymentSpec {
    return this.#spec;
  }

  get status(): DeploymentStatus {
    return this.#status;
  }

  get isRoutable(): boolean {
    return this.#channel !== undefined;
  }

  get isReady(): boolean {
    return this.isRoutable;
  }

  get isDegraded(): boolean {
    return false;
  }

  /** Makes the host's replica, so that a constructor that fails is known at deploy time. */
  async start(group: UpdateGroup): Promise<void> {
    const { instanceId, inlineReplicas, switchboard } = this.#environment;
    const { name, version, module, exportName, args, options } = this.#spec;
    const inline: InlineDescriptor = {
      replicaId: `${name}#${randomId(6)}`,
      instanceId,
      version,
      app: this.#app,
      deployment: name,
      module,
      exportName,
      args,
      userConfig: options.userConfig === undefined ? undefined : pack(options.userConfig, 'userConfig'),
      maxOngoingRequests: options.maxOngoingRequests,
    };
    try {
      this.#channel = await inlineReplicas.make(inline);
    } catch (cause) {
      const failure = this.#failed(cause);
      if (options.rollout.autoRollback) group.failed(failure);
      throw failure;
    }
    group.arrived(name);
    const previous = this.#descriptor;
    this.#descriptor = inline;
    switchboard.connectInline(this.#key, inline);
    if (previous !== undefined) inlineReplicas.forget(previous.replicaId);
    this.#setStatus('HEALTHY', this.#note);
  }

  /** What concerns its callers alone changes in place; for the rest every caller makes a new one. */
  async update(spec: DeploymentSpec, group: UpdateGroup, note: string): Promise<void> {
    const previous = this.#spec;
    this.#spec = spec;
    this.#note = note;
    this.#configure();
    const isSame =
      previous.fingerprint === spec.fingerprint &&
      previous.options.maxOngoingRequests === spec.options.maxOngoingRequests &&
      JSON.stringify(previous.options.userConfig) === JSON.stringify(spec.options.userConfig);
    if (!isSame || this.#channel === undefined) return this.start(group);
    group.arrived(spec.name);
    this.#setStatus('HEALTHY', note);
  }

  tick(): void {}

  threads(): ThreadReplica[] {
    return [];
  }

  kill(): boolean {
    return false;
  }

  expiredAt(): boolean {
    return false;
  }

  /** Of the calls that the host's thread made: those that enter the app. */
  observe(): VersionRecord {
    const tally = this.#channel?.tally;
    if (tally === undefined) return { ...NO_CALLS, deaths: 0 };
    tally.isObserved = true;
    return { ...tally.read(), deaths: 0 };
  }

  ignore(): void {
    if (this.#channel !== undefined) this.#channel.tally.isObserved = false;
  }

  async describe(): Promise<IngressDescription | undefined> {
    return this.#channel?.describe();
  }

  report(): Omit<DeploymentReport, 'scaling'> {
    const { instanceId, switchboard } = this.#environment;
    const [channel, inline] = [this.#channel, this.#descriptor];
    const isRunning = channel !== undefined && inline !== undefined;
    return {
      status: this.#status,
      message: this.#message,
      targetReplicas: 1,
      replicaStates: isRunning ? { RUNNING: 1 } : {},
      replicas: isRunning
        ? [
            {
              id: inline.replicaId,
              state: 'RUNNING',
              instance: instanceId,
              version: inline.version,
              ongoing: channel.ongoing,
            },
          ]
        : [],
      queued: switchboard.load(this.#key)?.queued ?? 0,
      restarts: 0,
      pending: undefined,
    };
  }

  async stop(timeoutMs: number, error: ServeError): Promise<void> {
    const channel = this.#channel;
    this.#channel = undefined;
    this.#environment.switchboard.remove(this.#key, error);
    if (this.#descriptor !== undefined) this.#environment.inlineReplicas.forget(this.#descriptor.replicaId);
    await channel?.closed(timeoutMs);
  }

  #configure(): void {
    const { options } = this.#spec;
    const { switchboard, tenants } = this.#environment;
    switchboard.configure(this.#key, routeConfig(options, tenants), options.maxQueuedRequests);
  }

  #failed(cause: unknown): ServeError {
    const { name } = this.#spec;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new ServeError('SERVE_DEPLOY_FAILED', `${name}: ${reason}`, {
      cause,
      app: this.#app,
      deployment: name,
    });
    if (this.#channel === undefined) this.#environment.switchboard.fail(this.#key, error);
    this.#setStatus('DEPLOY_FAILED', error.message);
    return error;
  }

  #setStatus(status: DeploymentStatus, message: string): void {
    this.#status = status;
    this.#message = message;
    const { name } = this.#spec;
    this.#environment.events.emit('deployment', { app: this.#app, deployment: name, status, message });
  }
}
