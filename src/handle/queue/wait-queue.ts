import { PRIORITIES } from './priority.ts';
import { COLD, type SubQueue, SubQueues } from './sub-queues.ts';
import { isBefore, type TenantLane, type Waiting } from './tenant-lane.ts';
import { TenantLanes } from './tenant-lanes.ts';
import { WaitingModels } from './waiting-models.ts';

/** Listens for waiting calls that would not take the free places. */
export interface AsideListener<T> {
  setAside(item: T): void;
  putBack(item: T): void;
}

/**
 * The calls of one thread that wait for one deployment. Their order is exact by priority, fair between tenants within a
 * priority, and by deadline, then first come first served, within a tenant. Without tenants the order is: priority,
 * deadline, FIFO. Cancelled and expired calls are skipped when they surface, and swept out when they are more than
 * half.
 *
 * A call that waits for its model can be set aside: the call keeps its place in the order, but blocks no call behind
 * it.
 */
export class WaitQueue<T extends Waiting> {
  /** The waiting calls by model. */
  readonly models: WaitingModels<T> = new WaitingModels<T>();
  readonly #bands: readonly TenantLanes<T>[];
  readonly #aside = new SubQueues<T>();
  readonly #listener: AsideListener<T> | undefined;
  #size = 0;

  /** @param weightOf share of a tenant against the others of its priority */
  constructor(weightOf: (tenant: string) => number = () => 1, listener?: AsideListener<T>) {
    this.#bands = PRIORITIES.map(() => new TenantLanes<T>(weightOf));
    this.#listener = listener;
  }

  /** Number of calls that still wait. */
  get size(): number {
    return this.#size;
  }

  /** Number of waiting calls that are set aside. */
  get aside(): number {
    return this.#aside.size;
  }

  /** Sub-queues of the calls that are set aside. */
  get subQueues(): ReadonlySet<SubQueue<T>> {
    return this.#aside.all;
  }

  /** Whether cold calls are set aside: calls whose model no replica held. */
  get hasCold(): boolean {
    return this.#aside.hasCold;
  }

  push(item: T): void {
    this.#size++;
    this.models.push(item);
    this.#band(item).push(item);
  }

  /** The first call in order that is not set aside; undefined if every call is. */
  peek(): T | undefined {
    for (const band of this.#bands) if (band.waiting > 0) return band.peek();
    return undefined;
  }

  /** Removes the head, to be sent; call it right after `peek`. */
  shift(): void {
    const head = this.peek();
    if (head === undefined) return;
    this.#size--;
    this.models.forget(head);
    this.#band(head).shift();
    this.#showBehind(head);
  }

  /** Removes an item that leaves in another way; its `isQueued` is false by now. */
  forget(item: T): void {
    if (this.#aside.forget(item)) this.#putBack(item);
    else this.#showBehind(item);
    this.#size--;
    this.models.forget(item);
    this.#band(item).forget(item);
  }

  /**
   * A call that was sent from the queue has ended, or was given up.
   * @param heldMs time that the call held its replica, in ms
   */
  settle(item: T, heldMs: number): void {
    this.#band(item).settle(item, heldMs);
  }

  /** A call that was sent from the queue was not run after all. */
  refund(item: T): void {
    this.#band(item).refund(item);
  }

  /**
   * Number of waiting calls that compete with this call for its place: the calls of its priority and tenant, itself
   * included.
   */
  waitingWith(item: T): number {
    return this.#band(item).waitingWith(item);
  }

  /**
   * Moves the head into a sub-queue until the call is shown again.
   * @param key the model that the call waits for, or `COLD`
   */
  setAside(key: number): void {
    const head = this.peek();
    if (head === undefined) return;
    this.#band(head).setAside();
    this.#aside.add(key, head);
    this.#listener?.setAside(head);
  }

  /** Lets the first call of a sub-queue stand in the queue, on behalf of the calls behind it as well. */
  show(subQueue: SubQueue<T>): void {
    this.#show(subQueue, undefined);
  }

  /** The call that `show` would show. */
  firstOf(subQueue: SubQueue<T>): T | undefined {
    return this.#aside.first(subQueue);
  }

  /** Lets all calls stand in the queue that were set aside with a key. */
  showAll(key: number): void {
    for (const item of this.#aside.takeAll(key)) this.#putBack(item);
  }

  /** Lets all calls for a model stand in the queue that were set aside while no replica held it. */
  showCold(modelKey: number): void {
    for (const item of this.#aside.takeCold(modelKey)) this.#putBack(item);
  }

  /** Lets all calls stand in the queue. */
  showEverything(): void {
    for (const { key } of this.#aside.all) this.showAll(key);
  }

  /**
   * The call that gives way to a newcomer when the queue is full: the last of the least important calls below its
   * priority, else the last call of the tenant with the largest backlog for its weight (longest queue drop, McKenney
   * 1990), if that backlog is larger than the newcomer's tenant would have. Undefined: the newcomer gives way.
   */
  victimFor(newcomer: Waiting): T | undefined {
    for (let rank = this.#bands.length - 1; rank > newcomer.priorityRank; rank--) {
      const band = this.#bands[rank] as TenantLanes<T>;
      if (band.size > 0) return this.#lastOf(band.longest(), rank);
    }
    const rank = newcomer.priorityRank;
    const band = this.#band(newcomer);
    const longest: TenantLane<T> | undefined = band.longest();
    if (longest === undefined || longest.tenant === newcomer.tenant) return undefined;
    return longest.backlog > band.backlogWith(newcomer.tenant) ? this.#lastOf(longest, rank) : undefined;
  }

  /** Empties the queue and returns its calls in order. */
  drain(): T[] {
    const items: T[] = [];
    this.showEverything();
    for (const band of this.#bands) while (band.size > 0) items.push(band.drop());
    for (const item of items) this.models.forget(item);
    this.#size = 0;
    return items;
  }

  /** Iterates the calls that are not set aside. */
  *[Symbol.iterator](): Iterator<T> {
    for (const band of this.#bands) yield* band;
  }

  /**
   * Shows the next call behind a leaving call: in the sub-queue of their model, or in the sub-queue of all cold calls.
   */
  #showBehind(leaving: T): void {
    if (this.#aside.size === 0 || leaving.modelKey === undefined) return;
    this.#show(this.#aside.at(leaving.modelKey, leaving), leaving);
    this.#show(this.#aside.at(COLD, leaving), leaving);
  }

  #show(subQueue: SubQueue<T> | undefined, leaving: T | undefined): void {
    const first = subQueue === undefined ? undefined : this.#aside.takeFirst(subQueue, leaving);
    if (first !== undefined) this.#putBack(first);
  }

  #putBack(item: T): void {
    this.#band(item).putBack(item);
    this.#listener?.putBack(item);
  }

  #lastOf(lane: TenantLane<T> | undefined, priorityRank: number): T | undefined {
    if (lane === undefined) return undefined;
    const last = lane.last();
    const aside = this.#aside.last(priorityRank, lane.tenant);
    if (last === undefined || aside === undefined) return last ?? aside;
    return isBefore(last, aside) ? aside : last;
  }

  #band({ priorityRank }: Waiting): TenantLanes<T> {
    return this.#bands[priorityRank] as TenantLanes<T>;
  }
}
