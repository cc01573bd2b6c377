/** The counts of a histogram: one bucket for each upper bound, and an infinite one. They are not cumulative. */
export type Buckets = number[];

export function emptyBuckets(bounds: readonly number[]): Buckets {
  return new Array<number>(bounds.length + 1).fill(0);
}

/** Counts a value in the first bucket whose bound it does not exceed. */
export function countInto(buckets: Buckets, bounds: readonly number[], value: number): void {
  let bucket = 0;
  while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket++;
  (buckets[bucket] as number)++;
}

/** Adds the counts of another histogram with the same bounds. */
export function addBuckets(to: Buckets, from: readonly number[]): void {
  for (let index = 0; index < to.length; index++) to[index] = (to[index] as number) + (from[index] ?? 0);
}
