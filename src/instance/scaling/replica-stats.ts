import type { ControlLink } from '../../isolation/control-link.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import { type ReportedValues, StatWindows } from './stat-windows.ts';

/** A replica without an answer after this time is asked again, in ms. */
const ANSWER_TIMEOUT_MS = 10_000;

/** The parts of a replica that are asked for values. */
export interface StatsReplica extends Pick<ManagedReplica, 'replicaId' | 'hasStats' | 'state'> {
  readonly control: Pick<ControlLink, 'autoscalingStats'>;
}

/** Values that the replicas of one deployment report by `recordAutoscalingStats()`. */
export class ReplicaStats {
  readonly #onError: (replicaId: string, error: unknown) => void;
  readonly #windows: StatWindows;
  /** Since when each replica has been asked; undefined once it has answered. */
  readonly #askedAt = new Map<StatsReplica, number | undefined>();

  /** @param keepMs how long values are kept */
  constructor(keepMs: number, onError: (replicaId: string, error: unknown) => void) {
    this.#windows = new StatWindows(keepMs);
    this.#onError = onError;
  }

  /** Asks the replicas that have the hook, and drops the values of those that no longer run. */
  ask(at: number, running: readonly StatsReplica[]): void {
    for (const replica of this.#askedAt.keys()) if (!running.includes(replica)) this.#askedAt.delete(replica);
    this.#windows.keep(new Set(running.map(({ replicaId }) => replicaId)));
    for (const replica of running) if (replica.hasStats) this.#askOne(at, replica);
  }

  /** The values in the form that a policy receives. @param toTimestamp converts from the instance's clock */
  read(at: number, periodMs: number, toTimestamp: (at: number) => number): ReportedValues {
    return this.#windows.read(at, periodMs, toTimestamp);
  }

  #askOne(at: number, replica: StatsReplica): void {
    const askedAt = this.#askedAt.get(replica);
    if (askedAt !== undefined && at - askedAt < ANSWER_TIMEOUT_MS) return;
    this.#askedAt.set(replica, at);
    replica.control.autoscalingStats().then(
      (values) => {
        // The replica may have stopped in the meantime.
        if (!this.#askedAt.has(replica)) return;
        this.#askedAt.set(replica, undefined);
        this.#windows.record(at, replica.replicaId, values ?? {});
      },
      (error: unknown) => {
        if (this.#askedAt.has(replica)) this.#askedAt.set(replica, undefined);
        if (replica.state === 'RUNNING') this.#onError(replica.replicaId, error);
      },
    );
  }
}
