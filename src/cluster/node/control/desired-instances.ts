import type { PlannedMember } from './fleet-space.ts';
import type { PlannedDeployment } from './planner.ts';

/** Share of an instance's cpus that replicas may reserve: the rest is for the host and for what comes. */
const MAX_RESERVED_SHARE = 0.8;

/**
 * The least number of instances like the present median one on which all wanted replicas fit: the value for an autoscaler of
 * the instances themselves. Without reserved cpus it is the number that keeps the present replicas per instance.
 *
 * @param deployments what is wanted, and what runs where
 * @returns at least 1
 */
export function desiredInstances(
  deployments: readonly PlannedDeployment[],
  members: readonly PlannedMember[],
): number {
  const wanted = deployments.reduce((sum, deployment) => sum + deployment.wanted, 0);
  const cpus = median(members.map(({ resources }) => resources['cpus'] ?? 0)) * MAX_RESERVED_SHARE;
  const sizes = new Map<number, number>();
  for (const { wanted: count, demand } of deployments) {
    const size = demand.amounts['cpus'] ?? 0;
    if (size > 0 && count > 0) sizes.set(size, (sizes.get(size) ?? 0) + count);
  }
  if (sizes.size > 0 && cpus > 0) return Math.max(1, packed(sizes, cpus));
  const perInstance = median(
    members.map(({ id }) => deployments.reduce((sum, { base }) => sum + (base.get(id) ?? 0), 0)),
  );
  return perInstance === 0 ? Math.max(1, members.length) : Math.max(1, Math.ceil(wanted / perInstance));
}

/**
 * First fit of the largest first, which needs at most 11/9 of the best number of bins (Johnson 1973).
 *
 * @param counts by size
 */
function packed(counts: ReadonlyMap<number, number>, space: number): number {
  const free: number[] = [];
  for (const [size, count] of [...counts].sort(([a], [b]) => b - a)) {
    let left = count;
    for (let bin = 0; bin < free.length && left > 0; bin++) {
      const fitting = Math.min(left, Math.floor((free[bin] as number) / size));
      free[bin] = (free[bin] as number) - fitting * size;
      left -= fitting;
    }
    // A replica that is larger than an instance takes one of its own.
    const each = Math.max(1, Math.floor(space / size));
    for (; left > 0; left -= each) free.push(Math.max(0, space - Math.min(left, each) * size));
  }
  return free.length;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
