import type { Add, Sample } from './samples.ts';

/** The state of the fleet, for the metrics of an instance. */
export interface FleetSample {
  /** Live instances, this one among them. */
  readonly instances: number;
  /** Instances that all wanted replicas need; undefined on an instance that does not lead. */
  readonly desiredInstances: number | undefined;
  readonly isLeading: boolean;
  /** Plans that the instance refused. */
  readonly refusedPlans: number;
  /** Counters of what fails by kind and reason, such as `redis_timeout`. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Adds the metrics of a fleet; they have no samples outside one. */
export function addFleetMetrics(add: Add, read: () => FleetSample | undefined): void {
  const each = (
    name: string,
    type: 'gauge' | 'counter',
    help: string,
    value: (sample: FleetSample) => number | undefined,
  ): void =>
    add(name, type, help, () => {
      const sample = read();
      const found = sample && value(sample);
      return found === undefined ? [] : [{ value: found, labels: {} }];
    });
  each('fleet_instances', 'gauge', 'Live instances of the fleet.', ({ instances }) => instances);
  const desired =
    'Instances that all wanted replicas need, as the leader says: for an autoscaler of the instances.';
  each('fleet_desired_instances', 'gauge', desired, ({ desiredInstances }) => desiredInstances);
  each('leader', 'gauge', 'Whether the instance leads the fleet.', ({ isLeading }) => Number(isLeading));
  const refused = 'Plans of a leader that the instance refused to follow.';
  each('plan_refused_total', 'counter', refused, ({ refusedPlans }) => refusedPlans);
  const byReason = (name: string, kind: string, help: string): void =>
    add(name, 'counter', help, () => reasonsOf(kind, read()?.counts ?? {}));
  const faults = 'Links that were refused or closed since the other side broke the protocol, by reason.';
  byReason('peer_faults_total', 'faults', faults);
  const redis =
    'Operations of the fleet on Redis that failed, and documents there that cannot be used, by reason.';
  byReason('redis_errors_total', 'redis', redis);
}

function reasonsOf(kind: string, counts: FleetSample['counts']): Sample[] {
  return Object.entries(counts).flatMap(([name, value]): Sample[] => {
    const [own, reason = ''] = name.split('_');
    return own === kind ? [{ value, labels: { reason } }] : [];
  });
}
