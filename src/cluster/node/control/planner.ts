import type { PendingReplicas } from '../../../controller/place.ts';
import type { Demand } from '../../../deployment/options/resource-units.ts';
import { FleetSpace, type PlannedMember } from './fleet-space.ts';

/** Counts of replicas by instance. */
export type Counts = Map<string, number>;

/** The planner's input about one deployment. */
export interface PlannedDeployment {
  readonly key: string;
  readonly demand: Demand;
  /** Replicas wanted in the fleet; 0 with `isEnding` removes even the last one. */
  readonly wanted: number;
  readonly isEnding: boolean;
  /** Number of replicas above the wanted number that moves between instances need. */
  readonly surge: number;
  readonly minPerInstance: number;
  readonly maxPerInstance: number;
  /** Instances that may get replicas. */
  readonly hosts: readonly string[];
  /** Counts so far where there are any, also on instances that may not get any more. */
  readonly base: ReadonlyMap<string, number>;
  /** Running replicas by instance, as reported. */
  readonly running: ReadonlyMap<string, number>;
  /** Instance on which calls wait for a first replica. */
  readonly asking: string | undefined;
}

export interface Planned {
  readonly counts: ReadonlyMap<string, Counts>;
  readonly pending: ReadonlyMap<string, PendingReplicas>;
  readonly removed: number;
}

/**
 * Plans the counts of all deployments: replicas stay where they are, missing replicas are placed, surplus replicas go
 * within the budget, and replicas of draining instances go once their successors run.
 *
 * @param members live members, draining ones included
 * @param budget replicas that may be removed by this plan
 */
export function planCounts(
  deployments: readonly PlannedDeployment[],
  members: readonly PlannedMember[],
  budget: number,
): Planned {
  const space = new FleetSpace(members);
  const counts = new Map<string, Counts>();
  const pending = new Map<string, PendingReplicas>();
  let left = budget;
  for (const { key, base, demand } of deployments) {
    const own: Counts = new Map();
    for (const [id, count] of base) {
      if (count === 0) continue;
      own.set(id, count);
      space.take(id, demand, count);
    }
    counts.set(key, own);
  }
  for (const deployment of deployments) {
    const own = counts.get(deployment.key) as Counts;
    const missing = addMissing(deployment, own, space);
    if (missing !== undefined) pending.set(deployment.key, missing);
    left -= removeSurplus(deployment, own, left, space);
    left -= leaveOthers(deployment, own, left, space);
  }
  return { counts, pending, removed: budget - left };
}

function addMissing(
  deployment: PlannedDeployment,
  own: Counts,
  space: FleetSpace,
): PendingReplicas | undefined {
  const { hosts, demand, wanted, surge, minPerInstance, maxPerInstance, asking } = deployment;
  if (deployment.isEnding) return undefined;
  const add = (id: string): void => {
    own.set(id, (own.get(id) ?? 0) + 1);
    space.take(id, demand, 1);
  };
  if (minPerInstance > 0)
    for (const id of hosts) while ((own.get(id) ?? 0) < minPerInstance && space.fits(id, demand)) add(id);
  let count = wanted + surge - sum(own, hosts);
  if (count <= 0) return undefined;
  if (
    asking !== undefined &&
    hosts.includes(asking) &&
    (own.get(asking) ?? 0) < maxPerInstance &&
    space.fits(asking, demand)
  ) {
    add(asking);
    count--;
  }
  const { ids, pending } = space.spread(hosts, own, demand, count, maxPerInstance);
  for (const id of ids) add(id);
  return pending;
}

/** Removes surplus replicas on the instances that may have replicas. @returns the number of removed replicas */
function removeSurplus(
  deployment: PlannedDeployment,
  own: Counts,
  budget: number,
  space: FleetSpace,
): number {
  const { hosts, wanted, surge, running, demand, isEnding } = deployment;
  const most = isEnding ? 0 : wanted + surge;
  let removed = 0;
  for (let surplus = sum(own, hosts) - most; surplus > 0 && removed < budget; surplus--) {
    const id = victim(deployment, own, hosts);
    if (id === undefined) break;
    own.set(id, (own.get(id) as number) - 1);
    if (!isEnding && !runsAnywhere(own, running)) {
      own.set(id, (own.get(id) as number) + 1);
      break;
    }
    space.take(id, demand, -1);
    removed++;
  }
  return removed;
}

/** Chooses the replica to remove: replicas that do not run yet go first, then replicas of the fullest instance. */
function victim(
  { running, minPerInstance, isEnding }: PlannedDeployment,
  own: Counts,
  hosts: readonly string[],
): string | undefined {
  let best: string | undefined;
  let bestRank = -Infinity;
  for (const id of hosts) {
    const count = own.get(id) ?? 0;
    if (count <= (isEnding ? 0 : minPerInstance)) continue;
    const rank = (count > (running.get(id) ?? 0) ? 1e6 : 0) + count;
    if (rank < bestRank) continue;
    best = id;
    bestRank = rank;
  }
  return best;
}

/** Instances that must not have the deployment any more keep their running replicas until others run instead. */
function leaveOthers(deployment: PlannedDeployment, own: Counts, budget: number, space: FleetSpace): number {
  const { hosts, wanted, running, demand, isEnding } = deployment;
  const staying = setOf(hosts);
  const others: string[] = [];
  let served = 0;
  for (const [id, count] of own) {
    if (staying.has(id)) served += Math.min(running.get(id) ?? 0, count);
    else others.push(id);
  }
  let removed = 0;
  for (const id of others) {
    const count = own.get(id) as number;
    const useful = Math.min(running.get(id) ?? 0, count);
    const keep = isEnding ? 0 : Math.min(useful, Math.max(0, wanted - served));
    served += keep;
    const gone = Math.min(count - keep, budget - removed);
    removed += gone;
    own.set(id, count - gone);
    space.take(id, demand, -gone);
  }
  return removed;
}

function runsAnywhere(own: Counts, running: ReadonlyMap<string, number>): boolean {
  let before = 0;
  for (const [id, count] of own) {
    before += running.get(id) ?? 0;
    if (Math.min(count, running.get(id) ?? 0) > 0) return true;
  }
  return before === 0;
}

/** Sums the counts of the given instances. */
export function sum(counts: ReadonlyMap<string, number>, ids: readonly string[]): number {
  const wanted = setOf(ids);
  let total = 0;
  for (const [id, count] of counts) if (wanted.has(id)) total += count;
  return total;
}

const SETS = new WeakMap<readonly string[], ReadonlySet<string>>();

/** The set of a list that never changes: the deployments of a large fleet share their lists of hosts. */
export function setOf(ids: readonly string[]): ReadonlySet<string> {
  let found = SETS.get(ids);
  if (found === undefined) {
    found = new Set(ids);
    SETS.set(ids, found);
  }
  return found;
}
