export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The value below which a share `p` (0…1) of `sorted` lies, by the nearest-rank method. */
export function percentile(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) throw new RangeError('percentile of no values');
  const rank = Math.ceil(p * sorted.length) - 1;
  return sorted[Math.min(Math.max(rank, 0), sorted.length - 1)]!;
}

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('median of no values');
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function mean(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError('mean of no values');
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A range that holds the median of the distribution from which some values were drawn. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  /** Probability that such an interval holds the median, at least as high as was asked for. */
  readonly confidence: number;
}

/**
 * Confidence interval of the median by order statistics, the inverse of the sign test: among `n` independent values the
 * number below the true median is binomial(n, ½), so the `k`-th smallest and the `k`-th largest enclose the median with
 * probability 1 − 2·P(fewer than k below). Nothing is assumed about the shape of the distribution; outliers do not widen
 * it. `undefined` where there are too few values, which are 5 for 90 %.
 *
 * Source: H. A. David and H. N. Nagaraja, Order Statistics, 3rd edition (2003), section 7.1.
 *
 * @param confidence least probability, 0…1
 */
export function medianInterval(values: readonly number[], confidence = 0.9): Interval | undefined {
  const n = values.length;
  const tail = (1 - confidence) / 2;
  let rank = 0;
  let outside = 0;
  for (let below = 0, probability = 0.5 ** n, sum = probability; sum <= tail && below < n; below++) {
    rank = below + 1;
    outside = sum;
    probability *= (n - below) / (below + 1);
    sum += probability;
  }
  if (rank === 0) return undefined;
  const sorted = values.toSorted((a, b) => a - b);
  return { low: sorted[rank - 1]!, high: sorted[n - rank]!, confidence: 1 - 2 * outside };
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}
