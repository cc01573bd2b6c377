/** How many callers keep one call open each. */
export const LOADS: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export const MAX_BATCH_SIZE = 64;

/** What a batch of `n` items costs: a model's fixed part, and what each item adds. */
export function costMs(n: number): number {
  return 10 + n;
}

/**
 * The most that one replica can do for so many callers, in calls/s: each waits for its result before it calls again, so
 * no batch is larger than their number, and the largest batch is the cheapest per item.
 */
export function optimum(callers: number): number {
  const size = Math.min(callers, MAX_BATCH_SIZE);
  return (1e3 * size) / costMs(size);
}

export function cellName(callers: number): string {
  return `${callers} callers`;
}
