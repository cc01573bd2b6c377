import type { SpecOptions } from '../../../deployment/app-spec.ts';
import type { ServeError } from '../../../errors.ts';
import type { ManagedReplica } from '../../../isolation/managed-replica.ts';
import { messageOf } from '../../../values/describe-value.ts';
import type { DeploymentReporter } from '../deployment-reporter.ts';

/**
 * Sends the running replicas of a deployment their user config. Changes run one after another, so that every replica ends
 * with the last; and one replica gets it ahead of the others, so that a refused config costs one replica at most.
 */
export class Reconfiguration {
  readonly #current: () => ManagedReplica[];
  readonly #reporter: DeploymentReporter;
  readonly #changed: () => void;
  #last: Promise<void> | undefined = undefined;
  #refusal: ServeError | undefined = undefined;

  /**
   * @param current returns the running replicas of the current version
   * @param changed is called when no change is in progress any more
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

  /** Sends the config to the running replicas in turn. A removed config cannot be sent: new replicas replace the old ones. */
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

  /** Sends the config to replicas that started before it changed. */
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
      // The effect of the config on the replica is unknown: another replica replaces it first.
      replica.isUnfit = true;
      this.#refusal = this.#reporter.failed(`reconfigure failed: ${messageOf(cause)}`, cause);
      throw this.#refusal;
    }
  }
}

function isConfigured(replica: ManagedReplica, userConfig: unknown): boolean {
  return JSON.stringify(replica.userConfig) === JSON.stringify(userConfig);
}
