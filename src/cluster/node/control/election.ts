import { hash, mix } from '../../../load/hash.ts';
import type { BeatAnswer, Lease } from '../../fleet-store.ts';
import type { FleetTiming } from '../timing.ts';

/** Change of the leader that the store's answer caused. */
export type ElectionChange = 'elected' | 'demoted' | undefined;

/**
 * Determines the leader: the holder of the lease leads from the moment at which it sent the successful claim or renewal
 * until `leaseHoldMs` later by its own clock. A lease in the store is only a hint, which may be forged; only tokens of
 * sealed documents and of links raise the floor.
 */
export class Election {
  readonly #timing: FleetTiming;
  #held: Lease | undefined = undefined;
  #actUntil = -Infinity;
  #electedAt = -Infinity;
  #claimAt: number | undefined = undefined;
  /** Highest token seen in a sealed document or on a link. */
  floor = 0;
  /** The lease that the store last showed. */
  seen: Lease | undefined = undefined;

  constructor(timing: FleetTiming) {
    this.#timing = timing;
  }

  /** The own lease, which may have expired. */
  get held(): Lease | undefined {
    return this.#held;
  }

  get electedAt(): number {
    return this.#electedAt;
  }

  isLeading(now: number): boolean {
    return this.#held !== undefined && now < this.#actUntil && this.#held.token >= this.floor;
  }

  raiseFloor(token: number): void {
    this.floor = Math.max(this.floor, token);
  }

  /**
   * @param renewed the lease that the heartbeat was to renew
   * @param sentAt when the heartbeat was sent
   */
  onBeat({ lease }: BeatAnswer, owner: string, renewed: Lease | undefined, sentAt: number): ElectionChange {
    this.seen = lease;
    if (lease?.owner === owner && lease.token >= this.floor) {
      this.#claimAt = undefined;
      const isRenewed = renewed?.token === lease.token;
      // The claim was carried out after its call had failed, so its age is unknown.
      return this.#hold(
        lease,
        sentAt + (isRenewed ? this.#timing.leaseHoldMs : 1.5 * this.#timing.beatMs),
        sentAt,
      );
    }
    // Another holder's lease ends the own lease; a store that lost the own lease may get it back until it expires.
    return lease !== undefined && lease.owner !== owner ? this.#lose() : undefined;
  }

  /** Handles the answer to a claim. */
  onLease(lease: Lease | undefined, owner: string, sentAt: number): ElectionChange {
    this.seen = lease;
    if (lease?.owner !== owner || lease.token < this.floor) return this.#lose();
    return this.#hold(lease, sentAt + this.#timing.leaseHoldMs, sentAt);
  }

  release(): void {
    this.#lose();
    this.#claimAt = undefined;
  }

  /**
   * Whether to claim the lease now. The candidates of a free lease are ranked by rendezvous, so that they do not all
   * claim at once.
   *
   * @param others live members that may be candidates as well
   * @param isSecond whether other candidates have precedence
   */
  isToClaim(self: string, others: readonly string[], isSecond: boolean, now: number): boolean {
    if (this.seen !== undefined && this.seen.token >= this.floor) {
      this.#claimAt = undefined;
      return false;
    }
    if (this.#claimAt === undefined) {
      const weight = (id: string): number => mix(hash(id) ^ (this.floor | 0));
      const own = weight(self);
      const rank = this.isLeading(now) ? 0 : others.filter((id) => weight(id) > own).length;
      const second = isSecond ? 2.5 * this.#timing.beatMs : 0;
      this.#claimAt = now + second + Math.min(rank * this.#timing.claimStepMs, 2 * this.#timing.beatMs);
    }
    return now >= this.#claimAt;
  }

  /** A claim was sent; the next one waits for its answer. */
  onClaimed(): void {
    this.#claimAt = Infinity;
  }

  /** A claim failed. */
  onClaimFailed(now: number): void {
    this.#claimAt = now + this.#timing.beatMs;
  }

  #hold(lease: Lease, until: number, sentAt: number): ElectionChange {
    const isNew = this.#held?.token !== lease.token;
    this.#held = lease;
    this.raiseFloor(lease.token);
    this.#actUntil = Math.max(isNew ? -Infinity : this.#actUntil, until);
    if (!isNew) return undefined;
    this.#electedAt = sentAt;
    return 'elected';
  }

  #lose(): ElectionChange {
    const had = this.#held !== undefined;
    this.#held = undefined;
    this.#actUntil = -Infinity;
    return had ? 'demoted' : undefined;
  }
}
