import type { ManagedReplica } from '../../isolation/managed-replica.ts';

export interface ReconfigurationEvents {
  /** A replica refused its config, and is unfit from now on. @returns what the change fails with */
  refused(cause: unknown): unknown;
  /** Nothing is under way any more. */
  settled(): void;
}

/**
 * Tells the running replicas of a deployment their user config. One change after the other, so that every replica ends
 * up with the last; and one replica ahead of the others, so that a config that is refused costs one replica at most.
 */
export class Reconfiguration {
  readonly #events: ReconfigurationEvents;
  #last: Promise<void> | undefined = undefined;

  constructor(events: ReconfigurationEvents) {
    this.#events = events;
  }

  get isRunning(): boolean {
    return this.#last !== undefined;
  }

  /**
   * @param replicas those that should have the config, looked at when it is their turn
   * @param timeoutMs for each of them
   */
  apply(replicas: () => ManagedReplica[], userConfig: unknown, timeoutMs: number): Promise<void> {
    if (userConfig === undefined) return Promise.resolve();
    const work = (this.#last ?? Promise.resolve()).then(async () => {
      const [first, ...others] = replicas().filter((replica) => !isConfigured(replica, userConfig));
      if (first === undefined) return;
      await this.#tell(first, userConfig, timeoutMs);
      await Promise.all(others.map((replica) => this.#tell(replica, userConfig, timeoutMs)));
    });
    const settled = work
      .catch(() => {})
      .then(() => {
        if (this.#last !== settled) return;
        this.#last = undefined;
        this.#events.settled();
      });
    this.#last = settled;
    return work;
  }

  async #tell(replica: ManagedReplica, userConfig: unknown, timeoutMs: number): Promise<void> {
    try {
      await replica.reconfigure(userConfig, timeoutMs);
    } catch (cause) {
      if (replica.state !== 'RUNNING') return;
      // Nobody knows what it made of the config: another one takes its place first.
      replica.isUnfit = true;
      throw this.#events.refused(cause);
    }
  }
}

export function isConfigured(replica: ManagedReplica, userConfig: unknown): boolean {
  return JSON.stringify(replica.userConfig) === JSON.stringify(userConfig);
}
