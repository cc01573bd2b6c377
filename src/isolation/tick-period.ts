/** Period at which an event loop signals that it turns, in ms. */
export function tickPeriod(stuckAfterMs: number): number {
  return Math.max(10, Math.min(250, stuckAfterMs / 4));
}
