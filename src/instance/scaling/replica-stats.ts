import { LoadWindow } from '../../controller/load-window.ts';
import type { AutoscalingContext } from '../../deployment/options/autoscaling-policy.ts';
import type { ControlLink } from '../../isolation/control-link.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';

/** A replica without an answer after this time is asked again, in ms. */
const ANSWER_TIMEOUT_MS = 10_000;
/** Maximum number of names per replica, so that a hook that makes up names cannot fill the memory. */
const MAX_NAMES = 100;

/** The parts of a replica that are asked for values. */
export interface StatsReplica extends Pick<ManagedReplica, 'replicaId' | 'hasStats' | 'state'> {
  readonly control: Pick<ControlLink, 'autoscalingStats'>;
}

interface Reported {
  readonly windows: Map<string, LoadWindow>;
  askedAt: number | undefined;
}

/** Values that the replicas of one deployment report by `recordAutoscalingStats()`. */
export class ReplicaStats {
  readonly #keepMs: number;
  readonly #onError: (replicaId: string, error: unknown) => void;
  readonly #reported = new Map<StatsReplica, Reported>();

  /** @param keepMs how long values are kept */
  constructor(keepMs: number, onError: (replicaId: string, error: unknown) => void) {
    this.#keepMs = keepMs;
    this.#onError = onError;
  }

  /** Asks the replicas that have the hook, and drops the values of those that no longer run. */
  ask(at: number, running: readonly StatsReplica[]): void {
    for (const replica of this.#reported.keys())
      if (!running.includes(replica)) this.#reported.delete(replica);
    for (const replica of running) if (replica.hasStats) this.#askOne(at, replica);
  }

  /** The values in the form that a policy receives. @param toTimestamp converts from the instance's clock */
  read(
    at: number,
    periodMs: number,
    toTimestamp: (at: number) => number,
  ): Pick<AutoscalingContext, 'aggregatedMetrics' | 'rawMetrics'> {
    const aggregatedMetrics: Record<string, Record<string, number>> = {};
    const rawMetrics: Record<string, Record<string, { at: number; value: number }[]>> = {};
    for (const [{ replicaId }, { windows }] of this.#reported) {
      for (const [name, window] of windows) {
        aggregatedMetrics[name] = { ...aggregatedMetrics[name], [replicaId]: window.mean(at, periodMs) };
        const values = window.samples.map((sample) => ({ at: toTimestamp(sample.at), value: sample.value }));
        rawMetrics[name] = { ...rawMetrics[name], [replicaId]: values };
      }
    }
    return { aggregatedMetrics, rawMetrics };
  }

  #askOne(at: number, replica: StatsReplica): void {
    const known = this.#reported.get(replica) ?? { windows: new Map(), askedAt: undefined };
    this.#reported.set(replica, known);
    if (known.askedAt !== undefined && at - known.askedAt < ANSWER_TIMEOUT_MS) return;
    known.askedAt = at;
    replica.control.autoscalingStats().then(
      (values) => {
        known.askedAt = undefined;
        for (const [name, value] of Object.entries(values ?? {}).slice(0, MAX_NAMES)) {
          const window = known.windows.get(name) ?? new LoadWindow(this.#keepMs);
          known.windows.set(name, window);
          window.record(at, value);
        }
      },
      (error: unknown) => {
        known.askedAt = undefined;
        if (replica.state === 'RUNNING') this.#onError(replica.replicaId, error);
      },
    );
  }
}
