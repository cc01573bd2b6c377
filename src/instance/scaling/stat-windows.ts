import { LoadWindow } from '../../controller/load-window.ts';
import type { AutoscalingContext } from '../../deployment/options/autoscaling-policy.ts';

/** Maximum number of names per replica, so that a hook that makes up names cannot fill the memory. */
const MAX_NAMES = 100;

/** The values that replicas report, as policies receive them. */
export type ReportedValues = Pick<AutoscalingContext, 'aggregatedMetrics' | 'rawMetrics'>;

/** Values of the replicas of one deployment over the last period, by name. */
export class StatWindows {
  readonly #keepMs: number;
  readonly #byReplica = new Map<string, Map<string, LoadWindow>>();

  /** @param keepMs how long values are kept */
  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  record(at: number, replicaId: string, values: Readonly<Record<string, number>>): void {
    const windows = this.#byReplica.get(replicaId) ?? new Map<string, LoadWindow>();
    this.#byReplica.set(replicaId, windows);
    for (const [name, value] of Object.entries(values)) {
      if (!windows.has(name) && windows.size >= MAX_NAMES) continue;
      const window = windows.get(name) ?? new LoadWindow(this.#keepMs);
      windows.set(name, window);
      window.record(at, value);
    }
  }

  /** Drops the values of all other replicas. */
  keep(replicaIds: ReadonlySet<string>): void {
    for (const replicaId of this.#byReplica.keys())
      if (!replicaIds.has(replicaId)) this.#byReplica.delete(replicaId);
  }

  /** @param toTimestamp converts from the clock of the values */
  read(at: number, periodMs: number, toTimestamp: (at: number) => number): ReportedValues {
    const aggregatedMetrics: Record<string, Record<string, number>> = {};
    const rawMetrics: Record<string, Record<string, { at: number; value: number }[]>> = {};
    for (const [replicaId, windows] of this.#byReplica) {
      for (const [name, window] of windows) {
        aggregatedMetrics[name] = { ...aggregatedMetrics[name], [replicaId]: window.mean(at, periodMs) };
        const values = window.samples.map((sample) => ({ at: toTimestamp(sample.at), value: sample.value }));
        rawMetrics[name] = { ...rawMetrics[name], [replicaId]: values };
      }
    }
    return { aggregatedMetrics, rawMetrics };
  }
}
