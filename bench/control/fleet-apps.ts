import type { DeploymentOptions } from 'inserve';

/** An app of a fixed number of replicas, and one that is autoscaled. */
export type FleetAppName = 'fixed' | 'scaled';

export const FIXED_REPLICAS = 6;

/** The apps of a fleet of real instances. */
export const FLEET_APPS: Readonly<Record<FleetAppName, DeploymentOptions>> = {
  fixed: { numReplicas: FIXED_REPLICAS, idempotent: true },
  scaled: { autoscaling: { maxReplicas: 12 }, idempotent: true },
};
