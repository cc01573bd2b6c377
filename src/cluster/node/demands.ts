import { hash, mix } from '../../load/hash.ts';
import type { Control } from './control/control.ts';
import type { Declarations } from './declaration.ts';
import type { Follower } from './follower.ts';
import type { Links } from './links.ts';
import { instanceOf, type LocalInstance } from './local-instance.ts';
import type { Membership } from './membership.ts';
import type { FleetTiming } from './timing.ts';

interface DemandParts {
  readonly self: LocalInstance;
  readonly membership: Membership;
  readonly declarations: Declarations;
  readonly follower: Follower;
  readonly links: Links;
  readonly control: Control;
  readonly timing: FleetTiming;
}

/**
 * Handles calls that wait for deployments without any replica. The leader is asked for a first replica; if no replica
 * runs after `demandMs`, the instance that rendezvous hashing selects starts it.
 */
export class Demands {
  readonly #parts: DemandParts;
  readonly #since = new Map<string, number>();

  constructor(parts: DemandParts) {
    this.#parts = parts;
  }

  add(deployment: string, now: number): void {
    if (!this.#since.has(deployment)) this.#since.set(deployment, now);
  }

  /** A peer asks for a first replica, since it takes this instance for the leader or for the selected instance. */
  onAsked(deployment: string, peer: string, now: number): void {
    const isMine = this.#parts.control.demand(deployment, peer, now);
    if (!isMine && this.#firstFor(deployment) === this.#parts.self.id) this.add(deployment, now);
  }

  tick(now: number): void {
    const { self, control, links, follower, timing } = this.#parts;
    for (const [deployment, since] of this.#since) {
      if (this.#hasReplica(deployment)) {
        this.#since.delete(deployment);
        continue;
      }
      const isMine = control.demand(deployment, self.id, now);
      const { known } = control;
      if (!isMine && known !== undefined) links.send(instanceOf(known.owner), { kind: 'demand', deployment });
      if (now - since < timing.demandMs) continue;
      const first = this.#firstFor(deployment);
      if (first === self.id) follower.demand(deployment);
      else if (first !== undefined) links.send(first, { kind: 'demand', deployment });
    }
  }

  #hasReplica(deployment: string): boolean {
    const { self, follower, membership } = this.#parts;
    const isHere = (self.loads[deployment]?.running ?? 0) > 0 || (follower.targets[deployment] ?? 0) > 0;
    return isHere || membership.runningElsewhere(deployment) > 0;
  }

  #firstFor(deployment: string): string | undefined {
    const { self, membership, declarations } = this.#parts;
    const declares = (hash: string | undefined): boolean =>
      hash !== undefined && declarations.places(hash)?.has(deployment) === true;
    const linked = membership
      .alive()
      .filter(({ isLinked, record }) => isLinked && record?.state !== 'draining');
    const ids = linked.filter(({ record }) => declares(record?.declaration)).map(({ id }) => id);
    if (self.places.has(deployment) && self.state !== 'draining') ids.push(self.id);
    return firstByRendezvous(deployment, ids);
  }
}

/** The instance that starts a first replica without a leader. */
function firstByRendezvous(deployment: string, ids: readonly string[]): string | undefined {
  const key = hash(deployment);
  const weight = (id: string): number => mix(key ^ hash(id));
  return ids.reduce<string | undefined>(
    (best, id) => (best === undefined || weight(id) > weight(best) ? id : best),
    undefined,
  );
}
