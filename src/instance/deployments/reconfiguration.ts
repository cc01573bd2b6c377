import type { SpecOptions } from '../../deployment/app-spec.ts';
import type { ServeError } from '../../errors.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import { messageOf } from '../../values/describe-value.ts';
import type { DeploymentReporter } from './deployment-reporter.ts';

/**
 * Tells the running replicas of a deployment their user config. One change after the other, so that every replica ends
 * up with the last; and one replica ahead of the others, so that a config that is refused costs one replica at most.
 */
export class Reconfiguration {
  readonly #current: () => ManagedReplica[];
  readonly #reporter: DeploymentReporter;
  readonly #changed: () => void;
  #last: Promise<void> | undefined = undefined;
  #refusal: ServeError | undefined = undefined;

  /**
   * @param current answers the running replicas of the current version
   * @param changed is called when no change is under way any more
   */
  constructor(current: () => ManagedReplica[], reporter: DeploymentReporter, changed: () => void) {
    this.#current = current;
    this.#reporter = reporter;
    this.#changed = changed;
  }

  get isRunning(): boolean {
    return this.#last !== undefined;
  }

  /** The failure of a replica that refused its config since the last look. */
  takeRefusal(): ServeError | undefined {
    const refusal = this.#refusal;
    this.#refusal = undefined;
    return refusal;
  }

  /** Tells the replicas that run when it is their turn. A config that is taken away cannot be told: others replace them. */
  apply({ userConfig, startTimeoutMs: timeoutMs }: SpecOptions): Promise<void> {
    if (userConfig === undefined) {
      for (const replica of this.#current()) if (replica.userConfig !== undefined) replica.isUnfit = true;
      return Promise.resolve();
    }
    const work = (this.#last ?? Promise.resolve()).then(async () => {
      const [first, ...others] = this.#current().filter((replica) => !isConfigured(replica, userConfig));
      if (first === undefined) return;
      await this.#tell(first, userConfig, timeoutMs);
      await Promise.all(others.map((replica) => this.#tell(replica, userConfig, timeoutMs)));
    });
    const settled = work
      .catch(() => {})
      .then(() => {
        if (this.#last !== settled) return;
        this.#last = undefined;
        this.#changed();
      });
    this.#last = settled;
    return work;
  }

  /** Tells replicas that started before the config changed. */
  applyLate(options: SpecOptions): void {
    const { userConfig } = options;
    if (userConfig === undefined || this.isRunning) return;
    const isLate = this.#current().some((replica) => !isConfigured(replica, userConfig));
    if (isLate) this.apply(options).catch(() => {});
  }

  async #tell(replica: ManagedReplica, userConfig: unknown, timeoutMs: number): Promise<void> {
    try {
      await replica.reconfigure(userConfig, timeoutMs);
    } catch (cause) {
      if (replica.state !== 'RUNNING') return;
      // It is unknown what the replica made of the config: another one takes its place first.
      replica.isUnfit = true;
      this.#refusal = this.#reporter.failed(`reconfigure failed: ${messageOf(cause)}`, cause);
      throw this.#refusal;
    }
  }
}

function isConfigured(replica: ManagedReplica, userConfig: unknown): boolean {
  return JSON.stringify(replica.userConfig) === JSON.stringify(userConfig);
}
