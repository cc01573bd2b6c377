import type { AppSpec, HostedDeployment } from '../../deployment/app-spec.ts';
import { ServeError } from '../../errors.ts';
import type { DeploymentFactory } from '../deployments/deployment-factory.ts';
import type { RunningDeployment } from '../deployments/running-deployment.ts';
import type { UpdateBarrier } from '../deployments/update-barrier.ts';

/** The deployments of one app on this instance, including those that the app no longer has and that are being closed. */
export class AppDeployments {
  readonly #app: string;
  readonly #factory: DeploymentFactory;
  readonly #running = new Map<string, RunningDeployment>();
  /** Promises of the ends of deployments that are being closed. */
  readonly #closing = new Map<string, Promise<void>>();

  constructor(app: string, factory: DeploymentFactory) {
    this.#app = app;
    this.#factory = factory;
  }

  get byName(): ReadonlyMap<string, RunningDeployment> {
    return this.#running;
  }

  get(name: string): RunningDeployment | undefined {
    return this.#running.get(name);
  }

  [Symbol.iterator](): IterableIterator<RunningDeployment> {
    return this.#running.values();
  }

  /** The end of the deployment of this name, if it is being closed. */
  closing(name: string): Promise<void> | undefined {
    return this.#closing.get(name);
  }

  /** Starts a deployment, or changes it to another spec. Rejects with `SERVE_DEPLOY_FAILED`. */
  deploy(spec: HostedDeployment, group: UpdateBarrier, note: string): Promise<void> {
    const known = this.#running.get(spec.name);
    if (known !== undefined) return known.update(spec, group, note);
    const made = this.#factory.make(this.#app, spec);
    this.#running.set(spec.name, made);
    return made.start(group);
  }

  /** Names of the deployments: the ingresses, then callers before callees, then deployments without a spec. */
  callersFirst(specs: readonly AppSpec[]): string[] {
    const ingresses = specs.map(({ ingress }) => ingress);
    const others = specs.flatMap(({ deployments }) => deployments.map(({ name }) => name).reverse());
    const names = new Set([...ingresses, ...others, ...this.#running.keys()]);
    return [...names].filter((name) => this.#running.has(name));
  }

  /**
   * Closes a deployment, unless it is being closed already.
   * @param timeoutMs undefined: as the deployment's options say
   * @param isPatient calls may take until their deadlines
   */
  closeOne(name: string, timeoutMs: number | undefined, isPatient: boolean): Promise<void> {
    const deployment = this.#running.get(name);
    if (deployment === undefined) return Promise.resolve();
    const closing = this.#closing.get(name) ?? this.#close(name, deployment, timeoutMs, isPatient);
    this.#closing.set(name, closing);
    return closing;
  }

  async #close(
    name: string,
    deployment: RunningDeployment,
    timeoutMs: number | undefined,
    isPatient: boolean,
  ): Promise<void> {
    const { gracefulShutdownTimeoutMs: graceful, requestTimeoutMs } = deployment.spec.options;
    const own = isPatient ? Math.max(graceful, requestTimeoutMs) : graceful;
    const about = { app: this.#app, deployment: name };
    const error = new ServeError('SERVE_UNAVAILABLE', `${name}: the deployment was stopped`, about);
    await deployment.close(Math.min(own, timeoutMs ?? own), error);
    this.#running.delete(name);
    this.#closing.delete(name);
  }
}
