import { type AppReport, type AppStatus, appStatus } from '../controller/status.ts';
import type { AppSpec, DeploymentSpec } from '../deployment/app-spec.ts';
import { ServeError } from '../errors.ts';
import { now } from '../time/clock.ts';
import type { Environment } from './environment.ts';
import { InlineDeployment } from './inline-deployment.ts';
import type { RunningDeployment } from './running-deployment.ts';
import { ThreadDeployment } from './thread-deployment.ts';
import type { ThreadReplica } from './thread-replica.ts';

/** One app on this instance: its deployments, deployed and stopped together. */
export class AppRuntime {
  readonly name: string;
  readonly #environment: Environment;
  readonly #deployments = new Map<string, RunningDeployment>();
  #spec: AppSpec;
  #ready: Promise<void> = Promise.resolve();
  #deleting: Promise<void> | undefined = undefined;
  /** `null` = not exposed. */
  routePrefix: string | null;

  constructor(spec: AppSpec, routePrefix: string | null, environment: Environment) {
    this.name = spec.name;
    this.#spec = spec;
    this.routePrefix = routePrefix;
    this.#environment = environment;
  }

  get spec(): AppSpec {
    return this.#spec;
  }

  get status(): AppStatus {
    const statuses = [...this.#deployments.values()].map(({ status }) => status);
    return appStatus(statuses, this.#deleting !== undefined);
  }

  /** Resolves once every deployment can serve; rejects with the first `SERVE_DEPLOY_FAILED`. */
  get ready(): Promise<void> {
    return this.#ready;
  }

  /** Whether every deployment can serve, those that are scaled to zero with the first call. */
  get isRoutable(): boolean {
    for (const deployment of this.#deployments.values()) if (!deployment.isReady) return false;
    return this.#deleting === undefined;
  }

  /** Whether something in it cannot recover within this process. */
  get isDegraded(): boolean {
    return [...this.#deployments.values()].some(({ isDegraded }) => isDegraded);
  }

  /** Deploys the spec: new deployments start, changed ones go over, those that are gone stop. */
  deploy(spec: AppSpec): Promise<void> {
    this.#spec = spec;
    const started = spec.deployments.map((deployment) => this.#deployOne(deployment));
    this.#environment.switchboard.setIngress(this.name, spec.ingress);
    const wanted = new Set(spec.deployments.map(({ name }) => name));
    const leaving = [...this.#deployments].filter(([name]) => !wanted.has(name));
    this.#ready = Promise.all(started).then(async () => {
      // Only now: callers of the old version may need them till the end of the rollout.
      await Promise.all(leaving.map(([name]) => this.#stopOne(name)));
    });
    this.#ready.catch(() => {});
    return this.#ready;
  }

  tick(at: number): void {
    for (const deployment of this.#deployments.values()) deployment.tick(at);
  }

  *threads(): Generator<ThreadReplica> {
    for (const deployment of this.#deployments.values()) yield* deployment.threads();
  }

  kill(replica: ThreadReplica, why: string): boolean {
    return [...this.#deployments.values()].some((deployment) => deployment.kill(replica, why));
  }

  expiredAt(replicaId: string, at: number): boolean {
    for (const deployment of this.#deployments.values()) if (deployment.expiredAt(replicaId, at)) return true;
    return false;
  }

  report(): AppReport {
    const deployments = [...this.#deployments].map(
      ([name, deployment]) => [name, deployment.report()] as const,
    );
    return {
      status: this.status,
      routePrefix: this.routePrefix,
      deployments: Object.fromEntries(deployments),
    };
  }

  /**
   * Stops callers before callees, so that calls in flight find their children. Idempotent.
   * @param timeoutMs in all; undefined: as each deployment's `gracefulShutdownTimeoutMs` says
   */
  delete(timeoutMs: number | undefined): Promise<void> {
    this.#deleting ??= this.#deleteAll(timeoutMs);
    return this.#deleting;
  }

  async #deleteAll(timeoutMs: number | undefined): Promise<void> {
    const deadline = timeoutMs === undefined ? Infinity : now() + timeoutMs;
    const callersFirst = [...this.#spec.deployments].reverse();
    const others = [...this.#deployments.keys()].filter(
      (name) => !callersFirst.some((spec) => spec.name === name),
    );
    for (const name of [...others, ...callersFirst.map((spec) => spec.name)])
      await this.#stopOne(name, deadline - now());
    this.#environment.switchboard.removeApp(this.name);
  }

  async #deployOne(spec: DeploymentSpec): Promise<void> {
    const known = this.#deployments.get(spec.name);
    if (known !== undefined) {
      if (known.spec.options.isolation === spec.options.isolation) return known.update(spec);
      throw new ServeError(
        'SERVE_INVALID_OPTION',
        `${spec.name}: isolation cannot change in place; delete the app first`,
      );
    }
    const { isolation } = spec.options;
    const made =
      isolation === 'inline'
        ? new InlineDeployment(this.name, spec, this.#environment)
        : new ThreadDeployment(this.name, spec, this.#environment);
    this.#deployments.set(spec.name, made);
    return made.start();
  }

  async #stopOne(name: string, timeoutMs?: number): Promise<void> {
    const deployment = this.#deployments.get(name);
    if (deployment === undefined) return;
    const own = deployment.spec.options.gracefulShutdownTimeoutMs;
    const about = { app: this.name, deployment: name };
    const error = new ServeError('SERVE_UNAVAILABLE', `${name}: the deployment was stopped`, about);
    await deployment.stop(Math.min(own, timeoutMs ?? own), error);
    this.#deployments.delete(name);
  }
}
