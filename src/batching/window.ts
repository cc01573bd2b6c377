import type { Arrivals } from './arrivals.ts';
import type { CostModel } from './cost-model.ts';

export type BatchMode = 'fixed' | 'adaptive';

/** What is known when it is to be decided whether a batch starts now. */
export interface WindowState {
  readonly mode: BatchMode;
  readonly now: number;
  /** Items that wait, and their weight. */
  readonly count: number;
  readonly isFull: boolean;
  /** When the oldest of them came. */
  readonly openedAt: number;
  /** The tightest of their deadlines; 0 = none. */
  readonly tightestDeadline: number;
  /** Items in batches that run now. */
  readonly running: number;
  readonly maxBatchSize: number;
  readonly waitMs: number;
}

/** Beyond this a late caller is not waited for: several gaps, and what timers and threads add. */
const LATE_GAPS = 4;
const LATE_SLACK_MS = 0.5;

/** A batch may take longer than predicted, and its results have a way to go. */
const COST_MARGIN = 1.1;
const RETURN_MS = 2;
/** Of the time that the tightest member had: timers are late on a busy machine, and who waits till the last moment misses it. */
const LATE_SHARE = 0.05;

/** When the batch should start, as a time of `clock.now()`; now or earlier means at once. Pure. */
export function startTime(state: WindowState, cost: CostModel, arrivals: Arrivals): number {
  if (state.isFull) return state.now;
  const latest = Math.min(state.openedAt + state.waitMs, latestForDeadline(state, cost));
  if (state.mode === 'fixed') return latest;
  return Math.min(latest, adaptiveStart(state, cost, arrivals));
}

/** So that the tightest member can still make it; half of its time is for the batch as long as nobody knows its cost. */
function latestForDeadline({ tightestDeadline, count, openedAt }: WindowState, cost: CostModel): number {
  if (tightestDeadline === 0) return Infinity;
  if (!cost.isKnown) return (openedAt + tightestDeadline) / 2;
  const slack = Math.max(RETURN_MS, (tightestDeadline - openedAt) * LATE_SHARE);
  return tightestDeadline - cost.predict(count) * COST_MARGIN - slack;
}

/**
 * At once, unless the next arrival is worth waiting for: it delays `count` items by a gap, and saves the fixed cost of
 * the batch that it would otherwise need (BentoML's dispatcher weighs the same two, but polls every millisecond).
 */
function adaptiveStart(state: WindowState, cost: CostModel, arrivals: Arrivals): number {
  const expected = Math.min(state.maxBatchSize, arrivals.callers - state.running);
  if (state.count >= expected) return state.now;
  const gap = arrivals.gapMs;
  if (state.count * gap >= cost.fixedMs) return state.now;
  return arrivals.last + gap * LATE_GAPS + LATE_SLACK_MS;
}
