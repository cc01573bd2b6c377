import type { AutoscalingConfig, Bounds } from '../deployment/options/autoscaling-config.ts';

/** Where a change of the target capacity leads; undefined while there is none. */
export type CapacityDirection = 'up' | 'down' | undefined;

/** A share of every deployment, as `deploy({ targetCapacity })` sets it: for blue-green switches between clusters. */
export interface TargetCapacity {
  /** 0 to 100; undefined: all of it. */
  readonly percent: number | undefined;
  readonly direction: CapacityDirection;
}

export const FULL_CAPACITY: TargetCapacity = { percent: undefined, direction: undefined };

/**
 * A number of replicas at a target capacity: its share, halves rounded up, at least one; none at 0 % (Ray's
 * `get_capacity_adjusted_num_replicas`).
 */
export function atCapacity(replicas: number, percent: number | undefined): number {
  if (percent === undefined || replicas === 0) return replicas;
  if (percent === 0) return 0;
  return Math.max(1, Math.floor((replicas * percent) / 100 + 0.5));
}

/**
 * The next target capacity. The first one that a set of apps has leads up, from all of it down; later ones as they differ.
 * @param isSameApps whether the config names the same apps as the one before
 */
export function nextCapacity(
  previous: TargetCapacity,
  percent: number | undefined,
  isSameApps: boolean,
): TargetCapacity {
  if (percent === undefined) return FULL_CAPACITY;
  if (!isSameApps) return { percent, direction: 'up' };
  if (previous.percent === percent) return previous;
  return { percent, direction: percent > (previous.percent ?? Infinity) ? 'up' : 'down' };
}

/** Least and most replicas at a target capacity. While that goes up, `initialReplicas` is the least. */
export function boundsAt(config: AutoscalingConfig, { percent, direction }: TargetCapacity): Bounds {
  const { minReplicas, maxReplicas, initialReplicas } = config;
  const least = direction === 'up' ? (initialReplicas ?? minReplicas) : minReplicas;
  return { min: atCapacity(least, percent), max: atCapacity(maxReplicas, percent) };
}

/** What a deployment's number of replicas follows from. */
export interface TargetOptions {
  readonly numReplicas: number;
  readonly autoscaling: AutoscalingConfig | undefined;
}

/**
 * The target that a deployment starts with, or goes on with after a change of its options: an autoscaled one keeps what
 * it has, within its bounds.
 * @param current undefined: it is new
 */
export function targetOf(
  { numReplicas, autoscaling }: TargetOptions,
  capacity: TargetCapacity,
  current: number | undefined,
): number {
  if (autoscaling === undefined) return atCapacity(numReplicas, capacity.percent);
  const { min, max } = boundsAt(autoscaling, capacity);
  const { initialReplicas, minReplicas } = autoscaling;
  const first = atCapacity(initialReplicas ?? minReplicas, capacity.percent);
  return Math.min(Math.max(current ?? first, min), max);
}
