import type { FleetTiming } from '../timing.ts';
import { FleetSpace, type PlannedMember } from './fleet-space.ts';
import { type Counts, type PlannedDeployment, setOf, sum } from './planner.ts';

/** Difference in replicas of a deployment from which two instances are balanced. */
const MIN_DIFFERENCE = 2;
/** Difference in the share of reserved cpus above which two instances are balanced. */
const MAX_CPU_DIFFERENCE = 0.25;
/** Share of the fleet's replicas that may move at a time. */
const MAX_MOVING_SHARE = 0.1;

export interface Move {
  readonly deployment: string;
  readonly from: string;
  readonly to: string;
  readonly startedAt: number;
  /** Number of replicas that must run on the new instance for the move to continue. */
  readonly needed: number;
}

/** Moves badly spread replicas: starts a replica on the new instance, and stops the old one once the new one runs. */
export class Rebalancer {
  readonly #timing: FleetTiming;
  #moves: Move[] = [];
  readonly #movedAt = new Map<string, number>();

  constructor(timing: FleetTiming) {
    this.#timing = timing;
  }

  get moves(): readonly Move[] {
    return this.#moves;
  }

  surge(deployment: string): number {
    return this.#moves.filter((move) => move.deployment === deployment).length;
  }

  /** Ends the moves that have become pointless: an end is gone, or the replica does not come up in time. */
  prune(deployments: readonly PlannedDeployment[], now: number): void {
    const byKey = new Map(deployments.map((deployment) => [deployment.key, deployment]));
    this.#moves = this.#moves.filter(({ deployment, from, to, startedAt, needed }) => {
      const planned = byKey.get(deployment);
      if (planned === undefined || planned.isEnding || now - startedAt > this.#timing.moveTimeoutMs)
        return false;
      // Fewer replicas are wanted, and the one that was to come was given up first.
      if ((planned.base.get(to) ?? 0) < needed) return false;
      const hosts = setOf(planned.hosts);
      return hosts.has(from) && hosts.has(to) && (planned.base.get(from) ?? 0) > 0;
    });
  }

  /** Abandons the current moves. */
  abandon(): void {
    this.#moves = [];
  }

  /** Stops the old replicas of moves whose new replicas run. @returns the number of removed replicas */
  finish(
    deployments: readonly PlannedDeployment[],
    counts: ReadonlyMap<string, Counts>,
    budget: number,
  ): number {
    let removed = 0;
    for (const move of [...this.#moves]) {
      const planned = deployments.find(({ key }) => key === move.deployment);
      const own = counts.get(move.deployment);
      if (planned === undefined || own === undefined || removed >= budget) continue;
      if ((planned.running.get(move.to) ?? 0) < move.needed || (own.get(move.from) ?? 0) === 0) continue;
      own.set(move.from, (own.get(move.from) as number) - 1);
      this.#moves = this.#moves.filter((other) => other !== move);
      removed++;
    }
    return removed;
  }

  /** Starts at most one move per deployment. @param quietSince time at which a member last came or went */
  begin(
    deployments: readonly PlannedDeployment[],
    counts: ReadonlyMap<string, Counts>,
    members: readonly PlannedMember[],
    quietSince: number,
    now: number,
  ): void {
    if (now - quietSince < this.#timing.moveQuietMs) return;
    const space = new FleetSpace(members);
    let replicas = 0;
    for (const { key, demand } of deployments) {
      for (const [id, count] of counts.get(key) ?? []) {
        space.take(id, demand, count);
        replicas += count;
      }
    }
    const most = Math.max(1, Math.floor(replicas * MAX_MOVING_SHARE));
    for (const deployment of deployments) {
      if (this.#moves.length >= most) return;
      const own = counts.get(deployment.key);
      if (own === undefined || !this.#isSettled(deployment, own, now)) continue;
      const pair = byCount(deployment, own, space) ?? byCpu(deployment, own, space);
      if (pair === undefined) continue;
      const [from, to] = pair;
      const needed = (own.get(to) ?? 0) + 1;
      own.set(to, needed);
      space.take(to, deployment.demand, 1);
      this.#moves.push({ deployment: deployment.key, from, to, startedAt: now, needed });
      this.#movedAt.set(deployment.key, now);
    }
  }

  /** Whether a deployment may be balanced: all wanted replicas run, and no other change is in progress. */
  #isSettled(deployment: PlannedDeployment, own: Counts, now: number): boolean {
    const { key, hosts, wanted, isEnding, running } = deployment;
    if (isEnding || this.surge(key) > 0) return false;
    if (now - (this.#movedAt.get(key) ?? -Infinity) < this.#timing.moveEveryMs) return false;
    const here = setOf(hosts);
    for (const [id, count] of own)
      if (count > 0 && !(here.has(id) && (running.get(id) ?? 0) >= count)) return false;
    return sum(own, hosts) === wanted;
  }
}

type Pair = readonly [from: string, to: string];

function byCount(deployment: PlannedDeployment, own: Counts, space: FleetSpace): Pair | undefined {
  const { hosts, demand, maxPerInstance } = deployment;
  const countOf = (id: string): number => own.get(id) ?? 0;
  const from = fullest(own, setOf(hosts));
  if (from === undefined || countOf(from) < MIN_DIFFERENCE) return undefined;
  const most = Math.min(maxPerInstance - 1, countOf(from) - MIN_DIFFERENCE);
  const to = emptiest(hosts, countOf, (id) => countOf(id) <= most && space.fits(id, demand));
  return to === undefined ? undefined : [from, to];
}

/**
 * Finds a move that balances cpus, only from an instance that has more replicas of the deployment, so that balancing
 * the counts does not move the replica back.
 */
function byCpu(deployment: PlannedDeployment, own: Counts, space: FleetSpace): Pair | undefined {
  const { hosts, demand, maxPerInstance } = deployment;
  if ((demand.amounts['cpus'] ?? 0) === 0) return undefined;
  const { least: to, most: from } = space.extremes(hosts);
  if (to === undefined || from === undefined) return undefined;
  const difference = space.cpuShare(from) - space.cpuShare(to);
  const count = own.get(to) ?? 0;
  if (difference <= MAX_CPU_DIFFERENCE || (own.get(from) ?? 0) <= count) return undefined;
  if (count >= maxPerInstance || !space.fits(to, demand)) return undefined;
  return isBetterAfter(from, to, demand.amounts['cpus'] ?? 0, space, difference) ? [from, to] : undefined;
}

/** The allowed id with the lowest count; among equals the first one by name. */
function emptiest(
  ids: readonly string[],
  countOf: (id: string) => number,
  isAllowed: (id: string) => boolean,
): string | undefined {
  let [best, least] = [undefined as string | undefined, Infinity];
  for (const id of ids) {
    const count = countOf(id);
    if (count > least || (count === least && best !== undefined && id >= best) || !isAllowed(id)) continue;
    [best, least] = [id, count];
  }
  return best;
}

/** The host with the highest count; among equals the last one by name. */
function fullest(own: Counts, hosts: ReadonlySet<string>): string | undefined {
  let [best, most] = [undefined as string | undefined, 0];
  for (const [id, count] of own) {
    if (count < most || (count === most && id <= (best ?? '')) || !hosts.has(id)) continue;
    [best, most] = [id, count];
  }
  return best;
}

function isBetterAfter(
  from: string,
  to: string,
  cpus: number,
  space: FleetSpace,
  difference: number,
): boolean {
  const after =
    space.cpuShare(from) - cpus / space.cpusOf(from) - (space.cpuShare(to) + cpus / space.cpusOf(to));
  return Math.abs(after) < difference;
}
