import type { Arrivals } from './arrivals.ts';
import type { CostModel } from './cost-model.ts';

export type BatchMode = 'fixed' | 'adaptive';

/** The state by which the start of a batch is decided. */
export interface WindowState {
  readonly mode: BatchMode;
  readonly now: number;
  /** The number of items that may share the batch, and the number of all waiting items. */
  readonly count: number;
  readonly queued: number;
  readonly isFull: boolean;
  /** When the oldest item of the batch came. */
  readonly openedAt: number;
  /** The time since which the function could have taken a batch. */
  readonly freeSince: number;
  /** The earliest deadline of the items; 0 = none. */
  readonly tightestDeadline: number;
  /** The number of items of running batches that are not answered yet. */
  readonly running: number;
  readonly maxBatchSize: number;
  readonly waitMs: number;
}

/** Callers are waited for only if all are back within this share of the fixed cost of a batch. */
const ALL_BACK_SHARE = 0.3;
/** The longest wait for a late caller: this many gaps, plus the delay of timers and threads in ms. */
const LATE_GAPS = 8;
const LATE_SLACK_MS = 0.5;

/** A batch may take longer than predicted, by this factor, and its results need time to return, in ms. */
const COST_MARGIN = 1.1;
const RETURN_MS = 2;
/** The share of the time until the earliest deadline that is kept as a reserve, because timers are late on a busy machine. */
const LATE_SHARE = 0.05;

/** Returns when the batch should start, as a time of `clock.now()`; now or earlier means at once. */
export function startTime(state: WindowState, cost: CostModel, arrivals: Arrivals): number {
  if (state.isFull) return state.now;
  const latest = latestForDeadline(state, cost);
  if (state.mode === 'fixed') return Math.min(latest, state.openedAt + state.waitMs);
  // While the function was busy the items were not waiting for others.
  const waitedSince = Math.max(state.openedAt, state.freeSince);
  return Math.min(latest, waitedSince + state.waitMs, adaptiveStart(state, cost, arrivals));
}

/** The latest start that meets the earliest deadline; while the cost is unknown, half of the time until it is reserved. */
function latestForDeadline({ tightestDeadline, count, openedAt }: WindowState, cost: CostModel): number {
  if (tightestDeadline === 0) return Infinity;
  if (!cost.isKnown) return (openedAt + tightestDeadline) / 2;
  const slack = Math.max(RETURN_MS, (tightestDeadline - openedAt) * LATE_SHARE);
  return tightestDeadline - cost.predict(count) * COST_MARGIN - slack;
}

/**
 * Starts at once, unless callers are missing that will be back soon. Callers that wait for their results save the fixed cost of
 * a batch by sharing one, so a batch waits for them if that takes a small part of this cost.
 *
 * Independent (Poisson) arrivals are not mistaken for such callers: while a batch runs, at most as many arrive on average as
 * there are callers, so `callers · gap` is at least the duration of a batch, and the median gap is 0.69 of the mean. Starting
 * at once is right for them: the optimal policy waits for a minimum number of items (Deb and Serfozo, "Optimal control of
 * batch service queues", Advances in Applied Probability 5, 1973), and in simulations neither the best such number nor the
 * best fixed window was better by more than 2 %, since batches form by themselves while one runs. The same holds if there are
 * more callers than a batch takes.
 */
function adaptiveStart(state: WindowState, cost: CostModel, arrivals: Arrivals): number {
  const callers = arrivals.callers - state.running;
  const missing = callers - state.queued;
  if (missing <= 0 || state.count + missing > state.maxBatchSize) return state.now;
  const gap = arrivals.gapMs;
  if (callers * gap >= cost.fixedMs * ALL_BACK_SHARE) return state.now;
  return arrivals.since + gap * LATE_GAPS + LATE_SLACK_MS;
}
