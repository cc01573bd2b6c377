import { Heap } from './heap.ts';

/** What the queue orders: the order is exact within a thread. */
export interface Waiting {
  /** 0 is the most important. */
  readonly priorityRank: number;
  /** Empty for calls of no tenant, which share one lane. */
  readonly tenant: string;
  /** Time of `clock.now()`; 0 = none. */
  readonly expiresAt: number;
  /** Counts up with each call of the thread. */
  readonly number: number;
  /** False once the call was cancelled, expired or sent: the queue skips it. */
  readonly isQueued: boolean;
}

/** Heaps and lanes are not swept before they hold so many. */
const SLACK = 64;
/** From here on a tenant that waits for nothing is forgotten, whatever it has used up. */
const MANY_LANES = 4_096;

/** Deadline, then first come first served. */
function isBefore(a: Waiting, b: Waiting): boolean {
  if (a.expiresAt !== b.expiresAt) return (a.expiresAt || Infinity) < (b.expiresAt || Infinity);
  return a.number < b.number;
}

/** The waiting calls of one tenant. */
export class TenantLane<T extends Waiting> {
  readonly tenant: string;
  readonly weight: number;
  readonly calls: Heap<T> = new Heap<T>(isBefore);
  live = 0;
  /** Virtual time at which its next call is due. */
  start = 0;
  /** Order among lanes that are due at the same time. */
  turn = 0;
  isActive = false;

  constructor(tenant: string, weight: number) {
    this.tenant = tenant;
    this.weight = weight;
  }

  /** Waiting calls for its weight. */
  get backlog(): number {
    return this.live / this.weight;
  }

  /** The call that would be served last. */
  last(): T | undefined {
    let last: T | undefined;
    for (const call of this.calls.items)
      if (call.isQueued && (last === undefined || isBefore(last, call))) last = call;
    return last;
  }
}

/**
 * The waiting calls of one priority: start-time fair queueing over tenants (Goyal, Vin, Cheng 1996). Serving a call
 * moves its tenant's start by 1 / weight in virtual time, and the earliest start is next: a tenant with weight 2 is
 * served twice as often as one with weight 1 while both wait, whoever waits with how many.
 */
export class TenantLanes<T extends Waiting> {
  readonly #lanes = new Map<string, TenantLane<T>>();
  readonly #active = new Heap<TenantLane<T>>((a, b) =>
    a.start === b.start ? a.turn < b.turn : a.start < b.start,
  );
  readonly #weightOf: (tenant: string) => number;
  /** The start of the lane that was served last. */
  #virtualTime = 0;
  #turns = 0;
  #size = 0;
  #sweepAt = SLACK;

  constructor(weightOf: (tenant: string) => number) {
    this.#weightOf = weightOf;
  }

  get size(): number {
    return this.#size;
  }

  push(item: T): void {
    const lane = this.#lane(item.tenant);
    this.#size++;
    lane.live++;
    lane.calls.push(item);
    if (lane.isActive) return;
    // A tenant that had nothing waiting has saved nothing up, and what it used up before still counts.
    lane.start = Math.max(lane.start, this.#virtualTime);
    lane.turn = ++this.#turns;
    lane.isActive = true;
    this.#active.push(lane);
  }

  peek(): T | undefined {
    return this.#size === 0 ? undefined : this.#firstLane().calls.peek();
  }

  shift(): void {
    const lane = this.#firstLane();
    this.#size--;
    lane.live--;
    lane.calls.pop();
    this.#virtualTime = lane.start;
    lane.start += 1 / lane.weight;
    lane.turn = ++this.#turns;
    this.#active.sinkFirst();
  }

  forget(item: T): void {
    const lane = this.#lanes.get(item.tenant);
    if (lane === undefined) return;
    this.#size--;
    lane.live--;
    const { calls, live } = lane;
    if (calls.length > SLACK && live < calls.length / 2) calls.filter(({ isQueued }) => isQueued);
  }

  /** The lane with most waiting for its weight. */
  longest(): TenantLane<T> | undefined {
    let longest: TenantLane<T> | undefined;
    for (const lane of this.#lanes.values())
      if (lane.live > 0 && (longest === undefined || lane.backlog > longest.backlog)) longest = lane;
    return longest;
  }

  /** The backlog of a tenant if one call more of it waited. */
  backlogWith(tenant: string): number {
    const lane = this.#lanes.get(tenant);
    return lane === undefined ? 1 / this.#weightOf(tenant) : (lane.live + 1) / lane.weight;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (const { calls } of this.#lanes.values())
      for (const call of calls.items) if (call.isQueued) yield call;
  }

  /** The active lane that is due next, with a call that waits at its head. */
  #firstLane(): TenantLane<T> {
    for (;;) {
      const lane = this.#active.peek() as TenantLane<T>;
      const { calls } = lane;
      while (calls.length > 0 && calls.peek()?.isQueued !== true) calls.pop();
      if (calls.length > 0) return lane;
      lane.isActive = false;
      this.#active.pop();
    }
  }

  #lane(tenant: string): TenantLane<T> {
    const known = this.#lanes.get(tenant);
    if (known !== undefined) return known;
    if (this.#lanes.size >= this.#sweepAt) this.#sweep();
    const made = new TenantLane<T>(tenant, this.#weightOf(tenant));
    this.#lanes.set(tenant, made);
    return made;
  }

  /** Forgets tenants that wait for nothing and have used up nothing: tenants may come and go without end. */
  #sweep(): void {
    const isCrowded = this.#lanes.size >= MANY_LANES;
    for (const [tenant, { isActive, start }] of this.#lanes)
      if (!isActive && (isCrowded || start <= this.#virtualTime)) this.#lanes.delete(tenant);
    this.#sweepAt = Math.max(
      SLACK,
      Math.min(2 * this.#lanes.size, Math.max(MANY_LANES, this.#lanes.size + SLACK)),
    );
  }
}
