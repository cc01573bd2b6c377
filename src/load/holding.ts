import { QUICK_MS } from './holding-time.ts';

/** Figures on how the calls of a replica hold its event loop. */
export interface Holding {
  /** Mean time that a call holds the loop, in ms; 0 = unknown. */
  readonly meanHoldingMs: number;
  /** Share of the last second for which the loop was busy, 0…1. */
  readonly utilization: number;
}

/**
 * Describes the scheduling of calls that hold the loop of their replica: such calls run one at a time, and the others
 * wait with their callers. Undefined if calls do not hold the loop.
 */
export function describeHolding(
  deployment: string,
  { meanHoldingMs, utilization }: Holding,
): string | undefined {
  if (meanHoldingMs < QUICK_MS) return undefined;
  const share = Math.round(utilization * 100);
  const each = Number(meanHoldingMs.toPrecision(2));
  return `${deployment} holds its loop ${share} % of the time, ${each} ms per call; 1 call at a time`;
}

/** Holding of inline calls, which begin as they are sent, on the loop of their caller. */
export const HOLDS_NOTHING: Holding = { meanHoldingMs: 0, utilization: 0 };
