import { describe, expect, test } from 'vitest';
import { BEFORE } from './builds.ts';
import {
  type ComparisonSpec,
  CPU_LIMIT,
  comparisonsOf,
  comparisonTable,
  failuresOf,
  THROUGHPUT_LIMIT,
} from './comparison.ts';
import { exponential, seededRandom } from './random.ts';
import type { Sample } from './samples.ts';

const THROUGHPUT: ComparisonSpec = {
  key: 'threads.throughput_small@64_vs_before',
  of: 'inserve',
  cell: 'small@64',
  metric: 'throughput',
  limit: THROUGHPUT_LIMIT,
};
const CPU: ComparisonSpec = { ...THROUGHPUT, key: 'threads.cpu', metric: 'cpu', limit: CPU_LIMIT };

/** Rounds in which the other build has the value `phase` and this one the given multiple of it. */
function rounds(ratios: readonly number[], metric: string, phase: (round: number) => number = () => 100) {
  return ratios.flatMap((ratio, round): Sample[] => [
    {
      round,
      implementation: 'inserve',
      cell: 'small@64',
      metrics: { [metric]: ratio * phase(round) },
    },
    {
      round,
      implementation: `inserve${BEFORE}`,
      cell: 'small@64',
      metrics: { [metric]: phase(round) },
    },
  ]);
}

/** Sixteen ratios around a centre, 1 % apart. */
const around = (centre: number) => Array.from({ length: 16 }, (_, i) => centre + (i - 7.5) / 100);

describe('comparisonsOf', () => {
  test('takes the ratio within each round, so that slow phases of the machine cancel out', () => {
    const phases = (round: number) => (round % 2 === 0 ? 1_000 : 10);
    const [comparison] = comparisonsOf(rounds(around(1), 'throughput', phases), [THROUGHPUT]);
    expect(comparison).toMatchObject({ key: THROUGHPUT.key, pairs: 16 });
    expect(comparison?.median).toBeCloseTo(1);
    expect(comparison?.interval?.low).toBeCloseTo(1 - 3.5 / 100);
    expect(comparison?.interval?.high).toBeCloseTo(1 + 3.5 / 100);
  });

  test('counts only the rounds in which both builds were measured', () => {
    const samples = rounds(around(1), 'throughput').filter(
      ({ round, implementation }) => round < 10 || implementation === 'inserve',
    );
    expect(comparisonsOf(samples, [THROUGHPUT])[0]?.pairs).toBe(10);
    expect(comparisonsOf(samples, [{ ...THROUGHPUT, cell: 'small@1' }])).toEqual([]);
  });

  test('has no interval for too few pairs', () => {
    const [comparison] = comparisonsOf(rounds([0.5, 0.5, 0.5], 'throughput'), [THROUGHPUT]);
    expect(comparison?.interval).toBeUndefined();
    expect(comparison?.median).toBe(0.5);
  });
});

describe('failuresOf', () => {
  const failures = (ratios: readonly number[], spec: ComparisonSpec) =>
    failuresOf(comparisonsOf(rounds(ratios, spec.metric), [spec])).map(({ during }) => during);

  test.each([
    ['throughput at the limit', 0.97, THROUGHPUT, []],
    ['throughput whose interval reaches the limit', 0.94, THROUGHPUT, []],
    ['throughput whose interval ends below it', 0.93, THROUGHPUT, [THROUGHPUT.key]],
    ['higher throughput', 1.5, THROUGHPUT, []],
    ['CPU at the limit', 1.03, CPU, []],
    ['CPU whose interval reaches the limit', 1.06, CPU, []],
    ['CPU whose interval begins above it', 1.07, CPU, [CPU.key]],
    ['less CPU', 0.5, CPU, []],
  ] as const)('%s', (_what, centre, spec, expected) => {
    expect(failures(around(centre), spec)).toEqual(expected);
  });

  test('too few pairs, or no limit, fail nothing', () => {
    expect(failures([0.1, 0.1, 0.1, 0.1], THROUGHPUT)).toEqual([]);
    const { limit: _, ...reported } = THROUGHPUT;
    expect(failures(around(0.1), reported)).toEqual([]);
  });

  test('equal builds seldom fail, however noisy the machine', () => {
    const random = seededRandom(3);
    const noisy = () => Array.from({ length: 16 }, () => exponential(random, 1) / exponential(random, 1));
    const trials = Array.from({ length: 1_000 }, () => failures(noisy(), THROUGHPUT).length);
    expect(trials.reduce((sum, count) => sum + count, 0)).toBeLessThan(50);
  });

  test('say what was measured, and the limit', () => {
    const comparisons = comparisonsOf(rounds(around(0.8), 'throughput'), [THROUGHPUT]);
    const [failure] = failuresOf(comparisons);
    expect(failure).toMatchObject({ implementation: 'inserve', during: THROUGHPUT.key });
    expect(failure?.round).toBeUndefined();
    expect(failure?.message).toContain('0.8 (0.765–0.835)');
    expect(failure?.message).toContain('≥ 0.97');
    const build = { root: new URL('file:///other/'), revision: 'abc1234' };
    expect(comparisonTable(comparisons, build)).toMatch(/this build \/ abc1234[\s\S]*16 pairs.*FAILED/);
  });
});
