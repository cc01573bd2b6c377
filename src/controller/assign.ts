import type { Demand } from '../deployment/options/resource-units.ts';
import type { ReplicaCounts } from '../store/snapshot.ts';
import { type InstanceSpace, place } from './place.ts';

export interface Assignment {
  /** Replicas on all instances. */
  readonly target: number;
  /** Replicas by instance under the current plan. */
  readonly counts: ReplicaCounts;
  /** Instances that may have replicas; replicas on other instances are moved. */
  readonly instances: readonly string[];
  readonly demand: Demand;
  readonly maxPerInstance: number;
  /** Free capacity of the instances without that of running replicas. Called only when there is a choice. */
  space(instance: string): InstanceSpace;
}

/**
 * Divides the replicas of a deployment among the instances. As many as possible stay where they are; replicas that fit nowhere
 * go to the instance with the fewest, where they are pending with a known reason. The counts add up to the target.
 */
export function assignReplicas(assignment: Assignment): ReplicaCounts {
  const { target, instances, demand, maxPerInstance } = assignment;
  const [only, ...others] = instances;
  if (only === undefined) return {};
  if (others.length === 0) return { [only]: target };
  const counts = new Map(instances.map((id) => [id, countOn(assignment, id)]));
  let missing = target;
  for (const count of counts.values()) missing -= count;
  for (; missing < 0; missing++) add(counts, most(counts), -1);
  const spaces = instances.map((id) => ({ ...assignment.space(id), id, replicas: counts.get(id) ?? 0 }));
  for (const { instance } of place({ demand, count: missing, maxPerInstance }, spaces).placements) {
    add(counts, instance, 1);
    missing--;
  }
  for (; missing > 0; missing--) add(counts, fewest(counts), 1);
  return Object.fromEntries(counts);
}

function countOn({ counts }: Assignment, id: string): number {
  return Object.hasOwn(counts, id) ? (counts[id] as number) : 0;
}

function add(counts: Map<string, number>, id: string, change: number): void {
  counts.set(id, (counts.get(id) ?? 0) + change);
}

function most(counts: ReadonlyMap<string, number>): string {
  return byCount(counts).at(-1) ?? '';
}

function fewest(counts: ReadonlyMap<string, number>): string {
  return byCount(counts)[0] ?? '';
}

/** Instance ids, fewest replicas first; ties are ordered by name, so that every controller decides alike. */
function byCount(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].sort(([a, m], [b, n]) => m - n || (a < b ? -1 : 1)).map(([id]) => id);
}
