import { type Summary, summarize } from './statistics.ts';

export type Metrics = Readonly<Record<string, number>>;

/** What one contender measured in one cell of one round. */
export interface Sample {
  readonly round: number;
  readonly implementation: string;
  readonly cell: string;
  readonly metrics: Metrics;
}

export interface Row extends Summary {
  readonly implementation: string;
  readonly cell: string;
  readonly metric: string;
  readonly unit: string;
}

export interface RatioSpec {
  readonly key: string;
  readonly cell: string;
  readonly metric: string;
  readonly of: string;
  readonly against: string;
}

export interface Ratio extends RatioSpec, Summary {}

/** One row per implementation × cell × metric, in the order in which they were first measured. */
export function rowsOf(samples: readonly Sample[], units: Readonly<Record<string, string>>): Row[] {
  const groups = new Map<string, { row: Omit<Row, keyof Summary>; values: number[] }>();
  for (const { implementation, cell, metrics } of samples) {
    for (const [metric, value] of Object.entries(metrics)) {
      const key = JSON.stringify([implementation, cell, metric]);
      const unit = units[metric];
      if (unit === undefined) throw new Error(`no unit for the metric ${metric}`);
      const group = groups.get(key) ?? { row: { implementation, cell, metric, unit }, values: [] };
      group.values.push(value);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(({ row, values }) => ({ ...row, ...summarize(values) }));
}

/**
 * The summary of the rounds' ratios, not the ratio of the summaries: within a round both sides ran moments
 * apart, so a slow phase of the machine hits both and cancels out. Ratios that no round measured are left
 * out.
 */
export function ratiosOf(samples: readonly Sample[], specs: readonly RatioSpec[]): Ratio[] {
  return specs.flatMap((spec) => {
    const denominators = valuesByRound(samples, spec, spec.against);
    const perRound: number[] = [];
    for (const [round, numerator] of valuesByRound(samples, spec, spec.of)) {
      const denominator = denominators.get(round);
      // A cell can complete no call at all in a very short window: no ratio, rather than Infinity.
      if (denominator !== undefined && denominator > 0) perRound.push(numerator / denominator);
    }
    return perRound.length === 0 ? [] : [{ ...spec, ...summarize(perRound) }];
  });
}

function valuesByRound(samples: readonly Sample[], { cell, metric }: RatioSpec, implementation: string) {
  const values = new Map<number, number>();
  for (const sample of samples) {
    if (sample.implementation !== implementation || sample.cell !== cell) continue;
    const value = sample.metrics[metric];
    if (value !== undefined) values.set(sample.round, value);
  }
  return values;
}
