import type { BatchSeries } from '../batching/batch-stats.ts';
import type { DeploymentStatus, ReplicaStatus } from '../controller/status.ts';
import type { CallSeries, Durations } from '../handle/call/call-stats.ts';
import type { Counts } from '../handle/call/counters.ts';

/** The state of one deployment, read when Prometheus scrapes. */
export interface DeploymentSample {
  readonly app: string;
  readonly deployment: string;
  readonly calls: readonly CallSeries[];
  readonly batches: readonly BatchSeries[];
  readonly counts: Readonly<Counts>;
  readonly restarts: number;
  /** The same by cause. */
  readonly deaths: Partial<Record<string, number>>;
  readonly starts: Durations;
  /** Failed responses whose error was never read. */
  readonly unobserved: number;
  /** The current state; undefined once the deployment has ended. */
  readonly now: DeploymentState | undefined;
}

export interface DeploymentState {
  readonly ongoing: number;
  readonly queued: number;
  readonly status: DeploymentStatus;
  readonly targetReplicas: number;
  readonly replicaStates: Readonly<Record<string, number>>;
  readonly replicas: readonly ReplicaStatus[];
  /** Replicas that the autoscaler wants; undefined without an autoscaler. */
  readonly desired: number | undefined;
}

export interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

export type Read = (samples: readonly DeploymentSample[]) => Sample[];
export type MetricType = 'counter' | 'gauge' | 'histogram';

export type Add = (name: string, type: MetricType, help: string, read: Read) => void;

export function place({ app, deployment }: DeploymentSample): { app: string; deployment: string } {
  return { app, deployment };
}

export function count(value: (sample: DeploymentSample) => number): Read {
  return (samples) => samples.map((sample) => ({ value: value(sample), labels: place(sample) }));
}

/** Reads a value of the running deployments, leaving out those for which it is undefined. */
export function gauge(read: (state: DeploymentState) => number | undefined): Read {
  return (samples) =>
    samples.flatMap((sample) => {
      const value = sample.now === undefined ? undefined : read(sample.now);
      return value === undefined ? [] : [{ value, labels: place(sample) }];
    });
}

/** @param scale factor from the counted unit to the unit of the metric */
export function histogram(
  name: string,
  labels: Record<string, string>,
  bounds: readonly number[],
  scale: number,
  buckets: readonly number[],
  sum: number,
): Sample[] {
  let cumulative = 0;
  const samples = buckets.map((count, index): Sample => {
    cumulative += count;
    const bound = bounds[index];
    // A product such as 0.003 · 1e−3 would have a tail of digits.
    const le = bound === undefined ? '+Inf' : scale === 1 ? bound : bound / (1 / scale);
    return { value: cumulative, labels: { le, ...labels }, metricName: `${name}_bucket` };
  });
  return [
    ...samples,
    { value: sum * scale, labels, metricName: `${name}_sum` },
    { value: cumulative, labels, metricName: `${name}_count` },
  ];
}
