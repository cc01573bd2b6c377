import { QUICK_MS } from './holding-time.ts';

/** How the calls of a replica hold its event loop. */
export interface Holding {
  /** For how long a call does on average, in ms; 0 = not known. */
  readonly meanHoldingMs: number;
  /** Share of the last second for which the loop was busy, 0…1. */
  readonly utilization: number;
}

/**
 * How calls are scheduled where they hold the loop of their replica, in words: such calls run one at a time, and the
 * others wait with their callers. Undefined where they do not.
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

/** Calls that begin as they are sent, on the loop of their caller. */
export const HOLDS_NOTHING: Holding = { meanHoldingMs: 0, utilization: 0 };
