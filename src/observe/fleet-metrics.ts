import type { Add } from './samples.ts';

/** What an instance knows of its fleet, for its metrics. */
export interface FleetSample {
  /** Live instances, this one among them. */
  readonly instances: number;
  /** Instances that all wanted replicas need; undefined on an instance that does not lead. */
  readonly desiredInstances: number | undefined;
  readonly isLeading: boolean;
  /** Plans that the instance refused. */
  readonly refusedPlans: number;
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
}
