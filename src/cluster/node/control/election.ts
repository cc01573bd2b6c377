import { hash, mix } from '../../../load/hash.ts';
import type { BeatAnswer, Lease } from '../../fleet-store.ts';
import type { FleetTiming } from '../timing.ts';

/** What the answer of the store changed about who leads. */
export type ElectionChange = 'elected' | 'demoted' | undefined;

/**
 * Who leads: the holder of the lease, from when it sent the call that got or renewed it until `leaseHoldMs` later by its
 * own clock. A lease in the store is a hint that anybody could write; only tokens of sealed documents and of links raise
 * the floor.
 */
export class Election {
  readonly #timing: FleetTiming;
  #held: Lease | undefined = undefined;
  #actUntil = -Infinity;
  #electedAt = -Infinity;
  #claimAt: number | undefined = undefined;
  /** Highest token seen in a sealed document or on a link. */
  floor = 0;
  /** The lease that the store showed last. */
  seen: Lease | undefined = undefined;

  constructor(timing: FleetTiming) {
    this.#timing = timing;
  }

  /** The own lease; it may have run out. */
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
      // A claim that was carried out after its call had failed: how old it is is not known.
      return this.#hold(
        lease,
        sentAt + (isRenewed ? this.#timing.leaseHoldMs : 1.5 * this.#timing.beatMs),
        sentAt,
      );
    }
    // The lease of another one ends the own; a store that lost it may get it back while the time is not up.
    return lease !== undefined && lease.owner !== owner ? this.#lose() : undefined;
  }

  /** The answer to a claim. */
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
   * Whether to claim the lease now. The candidates of a free lease are ranked by rendezvous, so that they do not all come
   * at once.
   *
   * @param others live members that may stand as well
   * @param isSecond whether others should come first
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

  /** A claim was sent: no other one is until it is answered. */
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
