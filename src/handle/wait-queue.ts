import { PRIORITIES } from './priority.ts';
import type { TenantLane, Waiting } from './tenant-lane.ts';
import { TenantLanes } from './tenant-lanes.ts';

/**
 * Calls of one thread that wait for one deployment. By priority, exactly; within a priority fair between tenants; within a
 * tenant by deadline, then first come first served. Without tenants that is: priority, deadline, FIFO. Calls that left
 * otherwise (cancelled, expired) are skipped when they surface, and swept out when they are more than half.
 */
export class WaitQueue<T extends Waiting> {
  readonly #bands: readonly TenantLanes<T>[];
  #size = 0;

  /** @param weightOf share of a tenant against the others of its priority */
  constructor(weightOf: (tenant: string) => number = () => 1) {
    this.#bands = PRIORITIES.map(() => new TenantLanes<T>(weightOf));
  }

  /** Calls that still wait. */
  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    this.#size++;
    this.#band(item).push(item);
  }

  /** The first in order; undefined when nobody waits. */
  peek(): T | undefined {
    for (const band of this.#bands) if (band.size > 0) return band.peek();
    return undefined;
  }

  /** Takes the head out, to be sent; call it right after `peek`. */
  shift(): void {
    for (const band of this.#bands) {
      if (band.size === 0) continue;
      this.#size--;
      band.shift();
      return;
    }
  }

  /** An item leaves in another way: its `isQueued` is false from now on. */
  forget(item: T): void {
    this.#size--;
    this.#band(item).forget(item);
  }

  /** A call that was sent from the queue has ended, or was given up. @param heldMs how long it held its replica */
  settle(item: T, heldMs: number): void {
    this.#band(item).settle(item, heldMs);
  }

  /** A call that was sent from the queue was not run after all. */
  refund(item: T): void {
    this.#band(item).refund(item);
  }

  /** Waiting calls that compete with this one for its place: those of its priority and tenant, itself included. */
  waitingWith(item: T): number {
    return this.#band(item).waitingWith(item);
  }

  /**
   * Who gives way to a newcomer when the queue is full: the last of the least important calls below its priority, else
   * the last call of the tenant that has most waiting for its weight (longest queue drop, McKenney 1990), if that is
   * more than the newcomer's tenant would have. Undefined: the newcomer is the one.
   */
  victimFor(newcomer: Waiting): T | undefined {
    for (let rank = this.#bands.length - 1; rank > newcomer.priorityRank; rank--) {
      const band = this.#bands[rank] as TenantLanes<T>;
      if (band.size > 0) return band.longest()?.last();
    }
    const band = this.#band(newcomer);
    const longest: TenantLane<T> | undefined = band.longest();
    if (longest === undefined || longest.tenant === newcomer.tenant) return undefined;
    return longest.backlog > band.backlogWith(newcomer.tenant) ? longest.last() : undefined;
  }

  /** Empties the queue, first in order first. */
  drain(): T[] {
    const items: T[] = [];
    for (const band of this.#bands) while (band.size > 0) items.push(band.drop());
    this.#size = 0;
    return items;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const band of this.#bands) yield* band;
  }

  #band({ priorityRank }: Waiting): TenantLanes<T> {
    return this.#bands[priorityRank] as TenantLanes<T>;
  }
}
