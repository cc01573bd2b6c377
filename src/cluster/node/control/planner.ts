import { type InstanceSpace, type PendingReplicas, place } from '../../../controller/place.ts';
import type { Amounts, Demand } from '../../../deployment/options/resource-units.ts';

/** An instance on which replicas may be planned. */
export interface PlannedMember {
  readonly id: string;
  readonly zone: string;
  readonly resources: Amounts;
  readonly gpus: number;
}

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
  /** Counts so far, also on instances that may not get any more. */
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
    for (const { id } of members) {
      const count = base.get(id) ?? 0;
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
  const staying = new Set(hosts);
  const others = [...own.keys()].filter((id) => !staying.has(id));
  let served = hosts.reduce((total, id) => total + Math.min(running.get(id) ?? 0, own.get(id) ?? 0), 0);
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

export function sum(counts: ReadonlyMap<string, number>, ids: readonly string[]): number {
  return ids.reduce((total, id) => total + (counts.get(id) ?? 0), 0);
}

/** The resources that the planned replicas leave free on each instance. */
export class FleetSpace {
  readonly #members: ReadonlyMap<string, PlannedMember>;
  readonly #taken = new Map<string, { amounts: Record<string, number>; gpus: number }>();

  constructor(members: readonly PlannedMember[]) {
    this.#members = new Map(members.map((member) => [member.id, member]));
  }

  take(id: string, { amounts, gpus }: Demand, count: number): void {
    const taken = this.#taken.get(id) ?? { amounts: {}, gpus: 0 };
    for (const [name, need] of Object.entries(amounts))
      taken.amounts[name] = (taken.amounts[name] ?? 0) + need * count;
    taken.gpus += gpus * count;
    this.#taken.set(id, taken);
  }

  fits(id: string, demand: Demand): boolean {
    return this.spread([id], new Map(), demand, 1, Infinity).ids.length === 1;
  }

  cpusOf(id: string): number {
    return this.#members.get(id)?.resources['cpus'] ?? 0;
  }

  /** Share of the cpus of an instance that replicas reserve, 0…1 and beyond. */
  cpuShare(id: string): number {
    const all = this.cpusOf(id);
    return all === 0 ? 0 : (this.#taken.get(id)?.amounts['cpus'] ?? 0) / all;
  }

  /**
   * Chooses instances for a number of replicas: evenly over the zones, and within a zone on the instances with the
   * fewest.
   */
  spread(
    hosts: readonly string[],
    own: ReadonlyMap<string, number>,
    demand: Demand,
    count: number,
    maxPerInstance: number,
  ): { readonly ids: readonly string[]; readonly pending: PendingReplicas | undefined } {
    const spaces = hosts.flatMap((id) => this.#space(id, own.get(id) ?? 0));
    const zones = Map.groupBy(spaces, ({ id }) => this.#members.get(id)?.zone ?? '');
    if (zones.size <= 1) {
      const placed = place({ demand, count, maxPerInstance }, spaces);
      return { ids: placed.placements.map(({ instance }) => instance), pending: placed.pending };
    }
    return spreadOverZones([...zones.values()], demand, count, maxPerInstance);
  }

  #space(id: string, replicas: number): InstanceSpace[] {
    const member = this.#members.get(id);
    if (member === undefined) return [];
    const taken = this.#taken.get(id);
    const free = Object.entries(member.resources).map(([name, amount]) => [
      name,
      amount - (taken?.amounts[name] ?? 0),
    ]);
    return [{ id, free: Object.fromEntries(free), gpus: freeGpus(member.gpus, taken?.gpus ?? 0), replicas }];
  }
}

/** Free devices, as if the replicas were packed; the instance decides which device a replica gets. */
function freeGpus(devices: number, taken: number): number[] {
  const whole = 10_000;
  return Array.from({ length: devices }, (_, index) =>
    Math.max(0, Math.min(whole, (index + 1) * whole - taken)),
  );
}

function spreadOverZones(
  zones: readonly (readonly InstanceSpace[])[],
  demand: Demand,
  count: number,
  maxPerInstance: number,
): { readonly ids: readonly string[]; readonly pending: PendingReplicas | undefined } {
  const ids: string[] = [];
  const open = zones.map((spaces) => {
    const { placements } = place({ demand, count, maxPerInstance }, spaces);
    const replicas = spaces.reduce((total, space) => total + space.replicas, 0);
    return { queue: placements.map(({ instance }) => instance), replicas };
  });
  while (ids.length < count) {
    const [best] = open.filter(({ queue }) => queue.length > 0).sort((a, b) => a.replicas - b.replicas);
    const id = best?.queue.shift();
    if (best === undefined || id === undefined) break;
    best.replicas++;
    ids.push(id);
  }
  if (ids.length === count) return { ids, pending: undefined };
  const { pending } = place({ demand, count: count - ids.length, maxPerInstance: 0 }, zones.flat());
  return { ids, pending };
}
