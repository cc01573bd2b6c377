import { type InstanceSpace, type PendingReplicas, place } from '../../../controller/place.ts';
import { type Amounts, type Demand, WHOLE } from '../../../deployment/options/resource-units.ts';

/** An instance on which replicas may be planned. */
export interface PlannedMember {
  readonly id: string;
  readonly zone: string;
  readonly resources: Amounts;
  readonly gpus: number;
}

/** Free resources of an instance. */
interface Room {
  readonly member: PlannedMember;
  readonly free: Record<string, number>;
  gpusTaken: number;
}

interface Extremes {
  readonly taken: number;
  least: string | undefined;
  most: string | undefined;
}

/** Instances chosen for replicas, and those for which there was no room. */
export interface Spread {
  readonly ids: readonly string[];
  readonly pending: PendingReplicas | undefined;
}

/** The resources that the planned replicas leave free on each instance. */
export class FleetSpace {
  readonly #rooms: ReadonlyMap<string, Room>;
  readonly #hasZones: boolean;
  /** The instances with the least and the most reserved cpus, by list of instances, until something is taken. */
  readonly #extremes = new WeakMap<readonly string[], Extremes>();
  #taken = 0;

  constructor(members: readonly PlannedMember[]) {
    this.#rooms = new Map(
      members.map((member) => [member.id, { member, free: { ...member.resources }, gpusTaken: 0 }]),
    );
    this.#hasZones = members.some(({ zone }) => zone !== members[0]?.zone);
  }

  take(id: string, { amounts, gpus }: Demand, count: number): void {
    const room = this.#rooms.get(id);
    if (room === undefined) return;
    for (const name in amounts) room.free[name] = (room.free[name] ?? 0) - (amounts[name] as number) * count;
    room.gpusTaken += gpus * count;
    this.#taken++;
  }

  fits(id: string, demand: Demand): boolean {
    const room = this.#rooms.get(id);
    if (room === undefined) return false;
    for (const name in demand.amounts)
      if ((room.free[name] ?? 0) < (demand.amounts[name] as number)) return false;
    if (demand.gpus === 0) return true;
    return this.spread([id], new Map(), demand, 1, Infinity).ids.length === 1;
  }

  cpusOf(id: string): number {
    return this.#rooms.get(id)?.member.resources['cpus'] ?? 0;
  }

  /** Share of the cpus of an instance that replicas reserve, 0…1 and beyond. */
  cpuShare(id: string): number {
    const all = this.cpusOf(id);
    return all === 0 ? 0 : 1 - (this.#rooms.get(id)?.free['cpus'] ?? 0) / all;
  }

  /** The instances with the least and the most reserved share of their cpus; among equals the first and the last by name. */
  extremes(ids: readonly string[]): Omit<Extremes, 'taken'> {
    const known = this.#extremes.get(ids);
    if (known?.taken === this.#taken) return known;
    const found: Extremes = { taken: this.#taken, least: undefined, most: undefined };
    let [lowest, highest] = [Infinity, -Infinity];
    for (const id of ids) {
      const share = this.cpuShare(id);
      if (share < lowest || (share === lowest && id < (found.least ?? '')))
        [found.least, lowest] = [id, share];
      if (share > highest || (share === highest && id > (found.most ?? '')))
        [found.most, highest] = [id, share];
    }
    this.#extremes.set(ids, found);
    return found;
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
  ): Spread {
    const spaces: InstanceSpace[] = [];
    for (const id of hosts) {
      const room = this.#rooms.get(id);
      if (room === undefined) continue;
      const { member, free, gpusTaken } = room;
      spaces.push({ id, free, gpus: freeGpus(member.gpus, gpusTaken), replicas: own.get(id) ?? 0 });
    }
    const zones = this.#hasZones
      ? [...Map.groupBy(spaces, ({ id }) => this.#rooms.get(id)?.member.zone ?? '').values()]
      : [];
    if (zones.length > 1) return spreadOverZones(zones, demand, count, maxPerInstance);
    const placed = place({ demand, count, maxPerInstance }, spaces);
    return { ids: placed.placements.map(({ instance }) => instance), pending: placed.pending };
  }
}

const NO_GPUS: readonly number[] = [];

/** Free devices, as if the replicas were packed; the instance decides which device a replica gets. */
function freeGpus(devices: number, taken: number): readonly number[] {
  if (devices === 0) return NO_GPUS;
  return Array.from({ length: devices }, (_, index) =>
    Math.max(0, Math.min(WHOLE, (index + 1) * WHOLE - taken)),
  );
}

function spreadOverZones(
  zones: readonly (readonly InstanceSpace[])[],
  demand: Demand,
  count: number,
  maxPerInstance: number,
): Spread {
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
