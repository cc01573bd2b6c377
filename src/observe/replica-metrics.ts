import type { DeploymentStatus, ReplicaStatus } from '../controller/status.ts';
import { addDurations, DURATION_BOUNDS_MS, noDurations } from '../handle/call/call-stats.ts';
import { START_BOUNDS_MS } from './call-counts.ts';
import {
  type Add,
  type DeploymentSample,
  gauge,
  histogram,
  place,
  type Read,
  type Sample,
} from './samples.ts';

const STATUSES: readonly DeploymentStatus[] = [
  'HEALTHY',
  'UPDATING',
  'UPSCALING',
  'DOWNSCALING',
  'UNHEALTHY',
  'DEPLOY_FAILED',
];

/** Adds the metrics of deployments and their replicas that say what they are, not what they did for whom. */
export function addReplicaMetrics(add: Add, prefix: string): void {
  add(
    'target_replicas',
    'gauge',
    'Replicas that a deployment should have.',
    gauge(({ targetReplicas }) => targetReplicas),
  );
  add('deployment_status', 'gauge', 'Status of a deployment: 1 for the current one.', (samples) =>
    samples.flatMap((sample) =>
      sample.now === undefined
        ? []
        : STATUSES.map((status) => ({
            value: Number(status === sample.now?.status),
            labels: { ...place(sample), status },
          })),
    ),
  );
  add(
    'replica_memory_bytes',
    'gauge',
    'Memory of a replica on and off its heap.',
    ofReplicas(({ memoryBytes }) => memoryBytes),
  );
  add(
    'replica_utilization',
    'gauge',
    'Share of the last second for which the event loop of a replica was busy.',
    ofReplicas(({ state, utilization }) => (state === 'STARTING' ? undefined : utilization)),
  );
  add(
    'multiplexed_models',
    'gauge',
    'Models that a replica holds or loads.',
    ofReplicas(({ models }) => models),
  );
  add('replica_deaths_total', 'counter', 'Replicas that ended unexpectedly, by cause.', (samples) =>
    samples.flatMap((sample) =>
      Object.entries(sample.deaths).map(([cause, value = 0]) => ({
        value,
        labels: { ...place(sample), cause },
      })),
    ),
  );
  const start = `${prefix}replica_start_seconds`;
  add(
    'replica_start_seconds',
    'histogram',
    'Time from the start of a replica until it took calls.',
    (samples) =>
      samples.flatMap((sample) =>
        histogram(start, place(sample), START_BOUNDS_MS, 1e-3, sample.starts.buckets, sample.starts.sumMs),
      ),
  );
  const queue = `${prefix}queue_seconds`;
  add(
    'queue_seconds',
    'histogram',
    'Time that calls waited for a replica, as part of their duration.',
    (samples) => samples.flatMap((sample) => waits(queue, sample)),
  );
}

/** Calls that found a free place are counted with a wait of zero, which costs them nothing while they run. */
function waits(name: string, sample: DeploymentSample): Sample[] {
  const total = noDurations();
  let calls = 0;
  for (const { count, waits: queued } of sample.calls) {
    calls += count;
    if (queued !== undefined) addDurations(total, queued);
  }
  const [first = 0, ...others] = total.buckets;
  const buckets = [first + calls - total.count, ...others];
  return histogram(name, place(sample), DURATION_BOUNDS_MS, 1e-3, buckets, total.sumMs);
}

/** Reads a value of each replica, leaving out those for which it is undefined. */
function ofReplicas(read: (replica: ReplicaStatus) => number | undefined): Read {
  return (samples) =>
    samples.flatMap((sample) =>
      (sample.now?.replicas ?? []).flatMap((replica) => {
        const value = read(replica);
        return value === undefined ? [] : [{ value, labels: { ...place(sample), rank: replica.rank } }];
      }),
    );
}
