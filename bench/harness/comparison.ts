import { BEFORE, type OtherBuild } from './builds.ts';
import type { Failure } from './rounds.ts';
import { figuresPerRound, type Sample } from './samples.ts';
import { type Interval, median, medianInterval } from './statistics.ts';
import { align, short } from './table.ts';

/** What the ratio of this build to the other must reach. */
export type Limit = { readonly atLeast: number } | { readonly atMost: number };

export const THROUGHPUT_LIMIT: Limit = { atLeast: 0.97 };
export const CPU_LIMIT: Limit = { atMost: 1.03 };

/** One metric of this build that is compared with the other build's. */
export interface ComparisonSpec {
  readonly key: string;
  /** Contender of this build; the other's has the same name and `BEFORE`. */
  readonly of: string;
  readonly cell: string;
  readonly metric: string;
  /** Absent: the ratio is only reported. */
  readonly limit?: Limit;
}

export interface Comparison extends ComparisonSpec {
  /** Median of the rounds' ratios. */
  readonly median: number;
  readonly pairs: number;
  /** 90 % confidence interval of the median; absent where there are too few pairs for one. */
  readonly interval?: Interval;
}

/** The ratios of this build to the other, each taken within a round. What no round measured on both sides is left out. */
export function comparisonsOf(samples: readonly Sample[], specs: readonly ComparisonSpec[]): Comparison[] {
  return specs.flatMap((spec) => {
    const ratios = figuresPerRound(samples, { ...spec, against: `${spec.of}${BEFORE}` });
    if (ratios.length === 0) return [];
    const interval = medianInterval(ratios);
    const comparison = { ...spec, median: median(ratios), pairs: ratios.length };
    return [interval === undefined ? comparison : { ...comparison, interval }];
  });
}

/**
 * A failure for each comparison whose whole interval lies beyond its limit. An interval that holds the limit proves
 * nothing, and too few pairs prove nothing.
 */
export function failuresOf(comparisons: readonly Comparison[]): Failure[] {
  return comparisons.filter(isBeyond).map((comparison) => ({
    implementation: comparison.of,
    during: comparison.key,
    message: `${comparison.metric} of ${comparison.cell}, this build / the other: the whole 90 % interval of ${spanOf(comparison)} lies beyond the ${limitOf(comparison)}`,
  }));
}

export function comparisonTable(comparisons: readonly Comparison[], against: OtherBuild | undefined): string {
  if (comparisons.length === 0 || against === undefined) return '';
  const lines = comparisons.map((comparison) => [
    comparison.key,
    spanOf(comparison),
    `${comparison.pairs} pairs`,
    limitOf(comparison),
    isBeyond(comparison) ? 'FAILED' : '',
  ]);
  return `this build / ${against.revision}, per round, then median (90 % confidence interval of the median)\n${align(lines)}\n`;
}

function isBeyond({ limit, interval }: Comparison): boolean {
  if (limit === undefined || interval === undefined) return false;
  return 'atLeast' in limit ? interval.high < limit.atLeast : interval.low > limit.atMost;
}

function spanOf({ median, interval }: Comparison): string {
  const span = interval === undefined ? 'too few pairs' : `${short(interval.low)}–${short(interval.high)}`;
  return `${short(median)} (${span})`;
}

function limitOf({ limit }: Comparison): string {
  if (limit === undefined) return '';
  return 'atLeast' in limit ? `limit ≥ ${limit.atLeast}` : `limit ≤ ${limit.atMost}`;
}
