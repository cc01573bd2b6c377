import { Heap } from './binary-heap.ts';

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
  /** The replicas' time that its tenant was charged for it, in ms; `UNCHARGED` until it was sent from the queue. */
  chargedMs: number;
  /** Hash of the id of its multiplexed model, ≥ 0. */
  readonly modelKey?: number | undefined;
}

export const UNCHARGED = -1;
/** Weight of the last call in a tenant's mean. */
const NEWEST = 1 / 8;

/** The calls of a lane are not swept before there are so many. */
export const SLACK = 64;

/** Deadline, then first come first served. */
export function isBefore(a: Waiting, b: Waiting): boolean {
  if (a.expiresAt !== b.expiresAt) return (a.expiresAt || Infinity) < (b.expiresAt || Infinity);
  return a.number < b.number;
}

/** A mean that follows its last values. */
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
  /** Virtual time at which its next call is due. */
  start = 0;
  /** Virtual time when its calls began to wait: what it is paid back does not bring it before that. */
  activeFrom = 0;
  /** Order among lanes that are due at the same time. */
  turn = 0;
  isActive = false;
  /** Index among the active lanes. */
  place = 0;
  /** How long its calls hold a replica; 0 = not known. */
  readonly mean: Mean = new Mean();

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
