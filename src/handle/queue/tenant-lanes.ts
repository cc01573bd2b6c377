import { Heap } from './binary-heap.ts';
import { Mean, SLACK, TenantLane, UNCHARGED, type Waiting } from './tenant-lane.ts';

/** Number of lanes from which idle tenants are forgotten, whatever they have used up. */
const MANY_LANES = 4_096;
/** Maximum charge for one call, in ms: a stream may last for hours. */
const MOST_MS = 60_000;

/**
 * The waiting calls of one priority: start-time fair queueing over tenants (Goyal, Vin, Cheng 1996) of the replicas'
 * time. A call advances its tenant's start in virtual time by the time that the call holds a replica, divided by the
 * weight, and the earliest start is next: a tenant with weight 2 gets twice the time of one with weight 1 while both
 * wait, however many calls of whatever length wait. The duration of a call is known only at its end, so the call is
 * charged with the mean of its tenant when it is sent, and the difference is settled later.
 */
export class TenantLanes<T extends Waiting> {
  readonly #lanes = new Map<string, TenantLane<T>>();
  readonly #active = new Heap<TenantLane<T>>(
    (a, b) => (a.start === b.start ? a.turn < b.turn : a.start < b.start),
    (lane, index) => {
      lane.place = index;
    },
  );
  readonly #weightOf: (tenant: string) => number;
  /** The latest start of a lane that was served. */
  #virtualTime = 0;
  /** Mean over all tenants, which is assumed for a new tenant. */
  readonly #mean = new Mean();
  #turns = 0;
  #size = 0;
  /** Number of these calls that stand in sub-queues. */
  #aside = 0;
  #sweepAt = SLACK;

  constructor(weightOf: (tenant: string) => number) {
    this.#weightOf = weightOf;
  }

  get size(): number {
    return this.#size;
  }

  /** Calls that do not stand in sub-queues. */
  get waiting(): number {
    return this.#size - this.#aside;
  }

  push(item: T): void {
    const lane = this.#lane(item.tenant);
    this.#size++;
    lane.live++;
    this.#insert(lane, item);
  }

  /** Moves the head out of its lane for a sub-queue: the call goes on waiting, and its tenant is not charged. */
  setAside(): T {
    const { calls } = this.#firstLane();
    const item = calls.peek() as T;
    calls.pop();
    this.#aside++;
    return item;
  }

  /** A call comes back from its sub-queue. */
  putBack(item: T): void {
    this.#aside--;
    if (item.isQueued) this.#insert(this.#lane(item.tenant), item);
  }

  #insert(lane: TenantLane<T>, item: T): void {
    lane.calls.push(item);
    if (lane.isActive) return;
    // An idle tenant saves nothing up, and its earlier use still counts.
    lane.activeFrom = this.#virtualTime;
    lane.start = Math.max(lane.start, this.#virtualTime);
    lane.turn = ++this.#turns;
    lane.isActive = true;
    this.#active.push(lane);
  }

  peek(): T | undefined {
    return this.waiting === 0 ? undefined : this.#firstLane().calls.peek();
  }

  /** Takes the head out to be sent. A call that was charged before, and taken back, is not charged again. */
  shift(): void {
    const lane = this.#firstLane();
    const call = this.#take(lane);
    this.#virtualTime = Math.max(this.#virtualTime, lane.start);
    // A single tenant needs no charging.
    if (this.#lanes.size > 1 && call.chargedMs === UNCHARGED)
      this.#charge(lane, call, lane.mean.ms || this.#mean.ms || 1);
  }

  /** Takes the head out without sending it. */
  drop(): T {
    const lane = this.#firstLane();
    const call = this.#take(lane);
    this.#refund(lane, call);
    return call;
  }

  /** A call that was charged has ended, or was given up. @param heldMs time that the call held its replica, in ms */
  settle(call: T, heldMs: number): void {
    if (call.chargedMs === UNCHARGED) return;
    const ms = Math.min(heldMs, MOST_MS);
    this.#mean.add(ms);
    const known = this.#lanes.get(call.tenant);
    // The call's tenant may have been forgotten meanwhile.
    if (known !== undefined || ms > call.chargedMs) {
      const lane = known ?? this.#lane(call.tenant);
      lane.mean.add(ms);
      this.#charge(lane, call, ms);
    }
    call.chargedMs = UNCHARGED;
  }

  /** A call that was charged was not run after all. */
  refund(call: T): void {
    const lane = this.#lanes.get(call.tenant);
    if (lane !== undefined) this.#refund(lane, call);
  }

  /** Removes a call that is not sent: its tenant is not charged. */
  forget(call: T): void {
    const lane = this.#lanes.get(call.tenant);
    if (lane === undefined) return;
    this.#size--;
    lane.live--;
    this.#refund(lane, call);
    const { calls, live } = lane;
    if (calls.length > SLACK && live < calls.length / 2) calls.filter(({ isQueued }) => isQueued);
  }

  /** Number of waiting calls of the same tenant, this call included. */
  waitingWith(call: T): number {
    return this.#lanes.get(call.tenant)?.live ?? 0;
  }

  /** The lane with the largest backlog for its weight. */
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

  #take(lane: TenantLane<T>): T {
    const call = lane.calls.peek() as T;
    lane.calls.pop();
    this.#size--;
    lane.live--;
    lane.turn = ++this.#turns;
    this.#active.update(lane.place);
    return call;
  }

  /** Charges a tenant for a call, replacing the earlier charge. */
  #charge(lane: TenantLane<T>, call: T, ms: number): void {
    const start = lane.start + (ms - Math.max(0, call.chargedMs)) / lane.weight;
    lane.start = Math.max(start, lane.activeFrom);
    call.chargedMs = ms;
    if (lane.isActive) this.#active.update(lane.place);
  }

  #refund(lane: TenantLane<T>, call: T): void {
    if (call.chargedMs === UNCHARGED) return;
    this.#charge(lane, call, 0);
    call.chargedMs = UNCHARGED;
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
    made.start = this.#virtualTime;
    this.#lanes.set(tenant, made);
    return made;
  }

  /** Forgets idle tenants without use, since tenants may come and go without end. */
  #sweep(): void {
    const isCrowded = this.#lanes.size >= MANY_LANES;
    for (const [tenant, { isActive, live, start }] of this.#lanes)
      if (!isActive && live === 0 && (isCrowded || start <= this.#virtualTime)) this.#lanes.delete(tenant);
    this.#sweepAt = Math.max(
      SLACK,
      Math.min(2 * this.#lanes.size, Math.max(MANY_LANES, this.#lanes.size + SLACK)),
    );
  }
}
