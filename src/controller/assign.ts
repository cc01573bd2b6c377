import type { Demand } from '../deployment/options/resource-units.ts';
import type { ReplicaCounts } from '../store/snapshot.ts';
import { type InstanceSpace, place } from './place.ts';

export interface Assignment {
  /** Replicas on all instances. */
  readonly target: number;
  /** As they are assigned so far. */
  readonly counts: ReplicaCounts;
  /** Instances that may have replicas; those of others are moved. */
  readonly instances: readonly string[];
  readonly demand: Demand;
  readonly maxPerInstance: number;
  /** Room on the instances, which replicas that run do not have any more. Asked for only where there is a choice. */
  space(instance: string): InstanceSpace;
}

/**
 * Divides the replicas of a deployment among the instances. As many as can stay where they are; those that fit nowhere go to
 * the instance that has the fewest, where they are pending and the instance knows the reason. The counts add up to the target.
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

/** Ids, the one with the fewest replicas first; where they are equal by name, so that every controller decides alike. */
function byCount(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].sort(([a, m], [b, n]) => m - n || (a < b ? -1 : 1)).map(([id]) => id);
}
