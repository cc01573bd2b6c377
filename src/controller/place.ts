import { type Amounts, type Demand, fromUnits, WHOLE } from '../deployment/options/resource-units.ts';
import { nearestName } from '../validation/nearest-name.ts';
import { pickGpus } from './gpus.ts';

const BUILT_IN_RESOURCES = ['cpus', 'gpus', 'memoryMb'];

/** Free capacity of an instance. */
export interface InstanceSpace {
  readonly id: string;
  readonly free: Amounts;
  /** Free amount of each gpu. */
  readonly gpus: readonly number[];
  /** Number of replicas of the deployment already on the instance. */
  readonly replicas: number;
}

export interface Placement {
  readonly instance: string;
  /** Indices of the gpus that the replica gets. */
  readonly gpus: readonly number[];
}

/** Number of replicas that fit on no instance. */
export interface PendingReplicas {
  readonly replicas: number;
  readonly reason: string;
}

export interface Placed {
  readonly placements: readonly Placement[];
  readonly pending: PendingReplicas | undefined;
}

export interface PlaceRequest {
  readonly demand: Demand;
  /** Number of replicas to place. */
  readonly count: number;
  readonly maxPerInstance: number;
}

/**
 * Places replicas of one deployment on the instance with the fewest of them, and among equals on the one with the most room.
 * Running replicas stay in place. Costs O((instances + count) · log instances).
 */
export function place(
  { demand, count, maxPerInstance }: PlaceRequest,
  instances: readonly InstanceSpace[],
): Placed {
  const heap = new Candidates();
  const needs = Object.entries(demand.amounts);
  const candidates = instances.map((space) => new Candidate(space, demand, needs));
  for (const candidate of candidates)
    if (candidate.replicas < maxPerInstance && candidate.room > 0) heap.push(candidate);
  const placements: Placement[] = [];
  while (placements.length < count) {
    const best = heap.pop();
    if (best === undefined) break;
    placements.push({ instance: best.id, gpus: best.take() });
    if (best.replicas < maxPerInstance && best.room > 0) heap.push(best);
  }
  const replicas = count - placements.length;
  if (replicas === 0) return { placements, pending: undefined };
  const left = candidates.map((candidate) => candidate.left());
  const reason = whyNot(demand, maxPerInstance, left) + resourceAdvice(demand, instances);
  return { placements, pending: { replicas, reason } };
}

/** Need of a replica by resource, computed once for all instances. */
type Needs = readonly (readonly [name: string, units: number])[];

/** An instance while replicas are being placed on it. */
class Candidate {
  readonly id: string;
  replicas: number;
  /** Number of further replicas that fit. */
  room: number;
  readonly #demand: Demand;
  readonly #space: InstanceSpace;
  #gpus: readonly number[];

  constructor(space: InstanceSpace, demand: Demand, needs: Needs) {
    const { id, free, gpus, replicas } = space;
    this.#space = space;
    this.id = id;
    this.replicas = replicas;
    this.#demand = demand;
    this.#gpus = gpus;
    this.room = Math.min(roomFor(needs, free), gpuRoom(demand.gpus, gpus));
  }

  take(): readonly number[] {
    const { gpus: need } = this.#demand;
    this.replicas++;
    this.room--;
    if (need === 0) return [];
    const picked = pickGpus(need, this.#gpus) ?? [];
    const each = need / picked.length;
    this.#gpus = this.#gpus.map((left, index) => (picked.includes(index) ? left - each : left));
    return picked;
  }

  /** Amounts left after all placements so far. */
  left(): InstanceSpace {
    const { id, free, replicas } = this.#space;
    const taken = this.replicas - replicas;
    const rest = Object.entries(this.#demand.amounts).map(
      ([name, need]) => [name, (free[name] ?? 0) - taken * need] as const,
    );
    return { id, free: { ...free, ...Object.fromEntries(rest) }, gpus: this.#gpus, replicas: this.replicas };
  }

  isBefore(other: Candidate): boolean {
    if (this.replicas !== other.replicas) return this.replicas < other.replicas;
    return this.room !== other.room ? this.room > other.room : this.id < other.id;
  }
}

function roomFor(needs: Needs, free: Amounts): number {
  let room = Infinity;
  for (const [name, need] of needs) room = Math.min(room, Math.floor((free[name] ?? 0) / need));
  return room;
}

function gpuRoom(need: number, gpus: readonly number[]): number {
  if (need === 0) return Infinity;
  if (need >= WHOLE) return Math.floor(gpus.filter((left) => left === WHOLE).length / (need / WHOLE));
  return gpus.reduce((room, left) => room + Math.floor(left / need), 0);
}

/** A binary heap with the best instance on top. */
class Candidates {
  readonly #heap: Candidate[] = [];

  push(candidate: Candidate): void {
    const heap = this.#heap;
    let at = heap.push(candidate) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const other = heap[parent] as Candidate;
      if (!candidate.isBefore(other)) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = candidate;
  }

  pop(): Candidate | undefined {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const right = heap[child + 1];
      if (child >= heap.length) break;
      if (right?.isBefore(heap[child] as Candidate)) child++;
      const smaller = heap[child] as Candidate;
      if (!smaller.isBefore(last)) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = last;
    return top;
  }
}

/** Explains the missing resources from the view of the instance that comes closest. */
function whyNot(demand: Demand, maxPerInstance: number, instances: readonly InstanceSpace[]): string {
  const [first] = instances;
  if (first === undefined) return 'no instance is available to place it on';
  const open = instances.filter(({ replicas }) => replicas < maxPerInstance);
  const where = instances.length === 1 ? 'here' : `on any of ${instances.length} instances`;
  if (open.length === 0) return `maxReplicasPerInstance (${maxPerInstance}) is reached ${where}`;
  const missing = open.map((space) => missingOn(demand, space)).sort((a, b) => a.length - b.length)[0] ?? [];
  return `a replica needs ${missing.join(' and ')} ${where}`;
}

/** What to do about resources that no instance has, which often are misspelt. */
function resourceAdvice({ amounts }: Demand, instances: readonly InstanceSpace[]): string {
  if (instances.length === 0) return '';
  const unknown = Object.keys(amounts).filter((name) =>
    instances.every(({ free }) => free[name] === undefined),
  );
  return unknown
    .map((name) => {
      const nearest = nearestName(name, BUILT_IN_RESOURCES);
      const guess = nearest === undefined ? '' : ` did you mean ${nearest}? If not,`;
      return `; no instance has ${name}:${guess} give it with createServe({ resources: { ${name}: … } })`;
    })
    .join('');
}

function missingOn({ amounts, gpus }: Demand, space: InstanceSpace): string[] {
  const missing = Object.entries(amounts)
    .filter(([name, need]) => (space.free[name] ?? 0) < need)
    .map(([name, need]) => `${fromUnits(need)} ${name} where ${fromUnits(space.free[name] ?? 0)} are free`);
  if (gpuRoom(gpus, space.gpus) > 0) return missing;
  const free = space.gpus.map(fromUnits).join(' + ');
  const devices = space.gpus.length === 0 ? 'no gpu exists' : `${free} are free`;
  return [...missing, `${fromUnits(gpus)} gpus where ${devices}`];
}
