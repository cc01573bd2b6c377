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

/** One metric of one cell, of one contender and mostly against another. */
export interface PairSpec {
  readonly cell: string;
  readonly metric: string;
  readonly of: string;
  /** Compared with this one; without it the value itself is the figure. */
  readonly against?: string;
  /** How it is compared. Default: the ratio. */
  readonly how?: 'ratio' | 'difference';
  /** The other's value is multiplied by this first. Default: 1. */
  readonly times?: number;
  /** This one's value is taken from both sides first: what they add to it is compared. */
  readonly over?: string;
}

/** A key figure: what one contender measured in a cell, mostly in relation to what another did. */
export interface KeySpec extends PairSpec {
  readonly key: string;
  /** What it must reach, for the human reader. */
  readonly goal?: string;
}

export interface KeyFigure extends KeySpec, Summary {}

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
 * apart, so a slow phase of the machine hits both and cancels out. Figures that no round measured are left
 * out.
 */
export function figuresOf(samples: readonly Sample[], specs: readonly KeySpec[]): KeyFigure[] {
  return specs.flatMap((spec) => {
    const perRound = figuresPerRound(samples, spec);
    return perRound.length === 0 ? [] : [{ ...spec, ...summarize(perRound) }];
  });
}

/** The figure of each round in which both sides were measured. */
export function figuresPerRound(samples: readonly Sample[], spec: PairSpec): number[] {
  const perRound: number[] = [];
  const others = spec.against === undefined ? undefined : valuesByRound(samples, spec, spec.against);
  const bases = spec.over === undefined ? undefined : valuesByRound(samples, spec, spec.over);
  for (const [round, measured] of valuesByRound(samples, spec, spec.of)) {
    const base = bases === undefined ? 0 : bases.get(round);
    if (base === undefined) continue;
    const value = measured - base;
    const other = others?.get(round);
    const figure =
      others === undefined ? value : compare(value, other === undefined ? undefined : other - base, spec);
    if (figure !== undefined) perRound.push(figure);
  }
  return perRound;
}

function compare(value: number, other: number | undefined, { how, times = 1 }: PairSpec): number | undefined {
  if (other === undefined) return undefined;
  if (how === 'difference') return value - times * other;
  // A cell can complete no call at all in a very short window: no ratio, rather than Infinity.
  return other > 0 ? value / (times * other) : undefined;
}

function valuesByRound(samples: readonly Sample[], { cell, metric }: PairSpec, implementation: string) {
  const values = new Map<number, number>();
  for (const sample of samples) {
    if (sample.implementation !== implementation || sample.cell !== cell) continue;
    const value = sample.metrics[metric];
    if (value !== undefined) values.set(sample.round, value);
  }
  return values;
}
