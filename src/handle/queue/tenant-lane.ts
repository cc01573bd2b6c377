import { Heap } from './binary-heap.ts';

/** An item of the queue; the order is exact within a thread. */
export interface Waiting {
  /** Rank of the priority; 0 is the most important. */
  readonly priorityRank: number;
  /** Tenant of the call; empty for calls without a tenant, which share one lane. */
  readonly tenant: string;
  /** Deadline, a time of `clock.now()`; 0 = none. */
  readonly expiresAt: number;
  /** Number of the call, which increases with each call of the thread. */
  readonly number: number;
  /** False once the call was cancelled, expired or sent: the queue skips it. */
  readonly isQueued: boolean;
  /**
   * Replica time that the tenant was charged for the call, in ms; `UNCHARGED` until the call is sent from the queue.
   */
  chargedMs: number;
  /** Hash of the id of its multiplexed model, ≥ 0. */
  readonly modelKey?: number | undefined;
}

export const UNCHARGED = -1;
/** Weight of the last call in a tenant's mean. */
const NEWEST = 1 / 8;

/** Number of calls below which a lane is not swept. */
export const SLACK = 64;

/** Order of calls: deadline, then first come first served. */
export function isBefore(a: Waiting, b: Waiting): boolean {
  if (a.expiresAt !== b.expiresAt) return (a.expiresAt || Infinity) < (b.expiresAt || Infinity);
  return a.number < b.number;
}

/** A moving mean. */
export class Mean {
  ms = 0;

  add(ms: number): void {
    this.ms += (ms - this.ms) * (this.ms === 0 ? 1 : NEWEST);
  }
}

/** The waiting calls of one tenant. */
export class TenantLane<T extends Waiting> {
  readonly tenant: string;
  readonly weight: number;
  readonly calls: Heap<T> = new Heap<T>(isBefore);
  live = 0;
  /** Virtual time at which the tenant's next call is due. */
  start = 0;
  /** Virtual time at which the tenant's calls began to wait: refunds never move `start` before it. */
  activeFrom = 0;
  /** Order among lanes that are due at the same time. */
  turn = 0;
  isActive = false;
  /** Index of the lane among the active lanes. */
  place = 0;
  /** Mean time that the tenant's calls hold a replica, in ms; 0 = unknown. */
  readonly mean: Mean = new Mean();

  constructor(tenant: string, weight: number) {
    this.tenant = tenant;
    this.weight = weight;
  }

  /** Waiting calls divided by the weight. */
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
