import type { AppliedTargets } from '../../cluster/member/fleet-member.ts';
import type { RouteKey } from '../../handle/routing/directory.ts';

/**
 * The numbers of replicas that the fleet wants of this instance. What is not known is never zero: without a plan, replicas that
 * run already stay.
 */
export class FleetTargets {
  /** Whether the fleet cannot be heard, and the instance decides as one without a fleet. */
  isSilent = false;
  #targets: Readonly<Record<string, number>> = {};
  /** Whether a plan of the fleet was followed before. */
  #hasFollowed = false;

  apply({ targets, undecided, cause }: AppliedTargets): void {
    this.isSilent = false;
    const isAlone = cause === 'alone';
    const unknown = new Set(undecided);
    const entries = Object.entries(targets).flatMap(([key, target]): [string, number][] => {
      // An instance that is alone again, such as after its fleet thread died, keeps what the fleet wanted.
      if (!unknown.has(key) && !(isAlone && this.#hasFollowed)) return [[key, target]];
      const known = this.#targets[key];
      if (known === undefined) return target === 0 ? [] : [[key, target]];
      return [[key, Math.max(known, target)]];
    });
    this.#hasFollowed ||= !isAlone && undecided.length < Object.keys(targets).length;
    this.#targets = Object.fromEntries(entries);
  }

  /** Replicas of a deployment on this instance; undefined as long as the fleet has not decided. */
  target(key: RouteKey): number | undefined {
    return Object.hasOwn(this.#targets, key) ? this.#targets[key] : undefined;
  }
}
