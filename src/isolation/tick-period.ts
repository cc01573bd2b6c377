/** Period of an event loop's sign of life, in ms. */
export function tickPeriod(stuckAfterMs: number): number {
  return Math.max(10, Math.min(250, stuckAfterMs / 4));
}
