import type { Arrivals } from './arrivals.ts';
import type { CostModel } from './cost-model.ts';

export type BatchMode = 'fixed' | 'adaptive';

/** What is known when it is to be decided whether a batch starts now. */
export interface WindowState {
  readonly mode: BatchMode;
  readonly now: number;
  /** Items that may share the batch, and that wait in all. */
  readonly count: number;
  readonly queued: number;
  readonly isFull: boolean;
  /** When the oldest of them came. */
  readonly openedAt: number;
  /** Since when the function could have taken a batch. */
  readonly freeSince: number;
  /** The tightest of their deadlines; 0 = none. */
  readonly tightestDeadline: number;
  /** Items of batches that run now which are not answered yet. */
  readonly running: number;
  readonly maxBatchSize: number;
  readonly waitMs: number;
}

/** The callers must be back within this share of what a batch costs beside its items, or nobody waits for them. */
const ALL_BACK_SHARE = 0.3;
/** Beyond this a late caller is not waited for: several gaps, and what timers and threads add. */
const LATE_GAPS = 8;
const LATE_SLACK_MS = 0.5;

/** A batch may take longer than predicted, and its results have a way to go. */
const COST_MARGIN = 1.1;
const RETURN_MS = 2;
/** Of the time that the tightest member had: timers are late on a busy machine, and who waits till the last moment misses it. */
const LATE_SHARE = 0.05;

/** When the batch should start, as a time of `clock.now()`; now or earlier means at once. Pure. */
export function startTime(state: WindowState, cost: CostModel, arrivals: Arrivals): number {
  if (state.isFull) return state.now;
  const latest = latestForDeadline(state, cost);
  if (state.mode === 'fixed') return Math.min(latest, state.openedAt + state.waitMs);
  // Until the function was free nobody waited for company.
  const waitedSince = Math.max(state.openedAt, state.freeSince);
  return Math.min(latest, waitedSince + state.waitMs, adaptiveStart(state, cost, arrivals));
}

/** So that the tightest member can still make it; half of its time is for the batch as long as nobody knows its cost. */
function latestForDeadline({ tightestDeadline, count, openedAt }: WindowState, cost: CostModel): number {
  if (tightestDeadline === 0) return Infinity;
  if (!cost.isKnown) return (openedAt + tightestDeadline) / 2;
  const slack = Math.max(RETURN_MS, (tightestDeadline - openedAt) * LATE_SHARE);
  return tightestDeadline - cost.predict(count) * COST_MARGIN - slack;
}

/**
 * At once, unless callers are missing that will be back soon. Callers that wait for their results save each other the
 * fixed cost of a batch by sharing one, so a batch waits for them where that takes a small part of this cost.
 *
 * Independent (Poisson) arrivals do not pass for such callers: while a batch runs as many arrive on average as there are
 * callers at most, so `callers · gap` is at least the duration of a batch, and the median gap is 0.69 of the mean. To start
 * at once is right for them: the best policy there is to wait for a least number of items (Deb and Serfozo, "Optimal
 * control of batch service queues", Advances in Applied Probability 5, 1973), and in simulations neither the best such
 * number nor the best fixed window was ahead by more than 2 %, since batches form by themselves while one runs. The same
 * holds where there are more callers than a batch takes.
 */
function adaptiveStart(state: WindowState, cost: CostModel, arrivals: Arrivals): number {
  const callers = arrivals.callers - state.running;
  const missing = callers - state.queued;
  if (missing <= 0 || state.count + missing > state.maxBatchSize) return state.now;
  const gap = arrivals.gapMs;
  if (callers * gap >= cost.fixedMs * ALL_BACK_SHARE) return state.now;
  return arrivals.since + gap * LATE_GAPS + LATE_SLACK_MS;
}
