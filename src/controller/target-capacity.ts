import type { AutoscalingConfig, Bounds } from '../deployment/options/autoscaling-config.ts';
import { FULL_CAPACITY, type Scale, type TargetCapacity } from '../store/snapshot.ts';

/**
 * Scales a number of replicas to a target capacity: its share, halves rounded up, at least one; 0 at 0 % (Ray's
 * `get_capacity_adjusted_num_replicas`).
 */
export function atCapacity(replicas: number, percent: number | undefined): number {
  if (percent === undefined || replicas === 0) return replicas;
  if (percent === 0) return 0;
  return Math.max(1, Math.floor((replicas * percent) / 100 + 0.5));
}

/**
 * Computes the next target capacity. The first one of a new set of apps leads up; a later one counts from the capacity
 * before, which is full capacity if none was set.
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

/** Least and most replicas at a target capacity. While the capacity rises, `initialReplicas` is the least. */
export function boundsAt(config: AutoscalingConfig, { percent, direction }: TargetCapacity): Bounds {
  const { minReplicas, maxReplicas, initialReplicas } = config;
  const least = direction === 'up' ? (initialReplicas ?? minReplicas) : minReplicas;
  return { min: atCapacity(least, percent), max: atCapacity(maxReplicas, percent) };
}

/** Inputs of a deployment's number of replicas. */
export interface TargetOptions {
  readonly numReplicas: number;
  readonly autoscaling: AutoscalingConfig | undefined;
}

/**
 * The options with the values of `scale()` in place: a fixed number also replaces autoscaling; bounds apply only while the
 * deployment is autoscaled.
 */
export function withScale(options: TargetOptions, scale: Scale | undefined): TargetOptions {
  const { numReplicas, autoscaling } = options;
  if (scale === undefined) return { numReplicas, autoscaling };
  if ('replicas' in scale) return { numReplicas: scale.replicas, autoscaling: undefined };
  if (autoscaling === undefined) return { numReplicas, autoscaling };
  const { min: minReplicas, max: maxReplicas } = scale;
  const { initialReplicas } = autoscaling;
  const first =
    initialReplicas === undefined ? undefined : Math.min(Math.max(initialReplicas, minReplicas), maxReplicas);
  return { numReplicas, autoscaling: { ...autoscaling, minReplicas, maxReplicas, initialReplicas: first } };
}

/**
 * The target of a deployment that starts or changes its options: an autoscaled deployment keeps its current number,
 * clamped to its bounds.
 * @param current undefined for a new deployment
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
