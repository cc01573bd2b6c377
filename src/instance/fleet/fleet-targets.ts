import type { AppliedTargets } from '../../cluster/member/fleet-member.ts';
import type { RouteKey } from '../../handle/routing/directory.ts';

/**
 * The numbers of replicas that the fleet wants of this instance. What is not known is never zero: without a plan, replicas that
 * run already stay.
 */
export class FleetTargets {
  #targets: Readonly<Record<string, number>> = {};
  /** Whether a plan of the fleet was followed before. */
  #hasFollowed = false;

  apply({ targets, cause, isPlanned }: AppliedTargets): void {
    const isOfFleet = isPlanned && cause !== 'alone';
    const isExact = isOfFleet || (isPlanned && !this.#hasFollowed);
    this.#hasFollowed ||= isOfFleet;
    const entries = Object.entries(targets).flatMap(([key, target]): [string, number][] => {
      if (isExact) return [[key, target]];
      const known = this.#targets[key];
      if (known === undefined) return target === 0 ? [] : [[key, target]];
      return [[key, Math.max(known, target)]];
    });
    this.#targets = Object.fromEntries(entries);
  }

  /** Replicas of a deployment on this instance; undefined as long as the fleet has not decided. */
  target(key: RouteKey): number | undefined {
    return Object.hasOwn(this.#targets, key) ? this.#targets[key] : undefined;
  }
}
