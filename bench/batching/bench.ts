import { availableParallelism } from 'node:os';
import type { Bench, KeyedValue } from '../harness/bench.ts';
import { type Build, buildsOf, PAIRS } from '../harness/builds.ts';
import { Child } from '../harness/child.ts';
import {
  type ComparisonSpec,
  CPU_LIMIT,
  comparisonsOf,
  comparisonTable,
  failuresOf,
  type Limit,
  THROUGHPUT_LIMIT,
} from '../harness/comparison.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import {
  figuresOf,
  type KeyFigure,
  type KeySpec,
  type Metrics,
  rowsOf,
  type Sample,
} from '../harness/samples.ts';
import { figureTable, table } from '../harness/table.ts';
import type { MeasureLoad } from './child.ts';
import { cellName, costMs, LOADS, optimum } from './loads.ts';
import { HTTP, HTTP_CALLERS, overHttp } from './over-http.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const START_TIMEOUT_MS = 20_000;
const CELL_SLACK_MS = 20_000;
const MODES = ['fixed', 'adaptive'];

/** Callers with which two builds are compared. */
const COMPARED_LOADS = [1, 16, 64, 256];

const COMPARISONS: readonly ComparisonSpec[] = MODES.flatMap((of) =>
  COMPARED_LOADS.flatMap((callers) => [
    versusBefore(of, 'throughput', callers, THROUGHPUT_LIMIT),
    versusBefore(of, 'cpu', callers, CPU_LIMIT),
  ]),
);

/** `batch()` with a fixed and with an adaptive window, against what a replica could do at most. */
export const batching: Bench = async ({
  against,
  rounds = against ? PAIRS : 5,
  ms = against ? 500 : 1_500,
  only = '',
}) => {
  const loads = (against ? COMPARED_LOADS : LOADS).filter((callers) => cellName(callers).includes(only));
  const cells = loads.map(cellName);
  const { samples, failures, notes } = await runRounds({
    contenders: [
      ...MODES.flatMap((mode) => buildsOf(against).map((build) => contender(mode, build, ms, cells))),
      ...(against === undefined && loads.includes(HTTP_CALLERS) ? [overHttp(ms)] : []),
    ],
    cells,
    rounds,
    progress: (line) => console.error(line),
  });
  const rows = rowsOf(samples, { throughput: 'calls/s', p50: 'ms', cpu: 'µs/call' });
  const comparisons = against === undefined ? [] : comparisonsOf(samples, COMPARISONS);
  const adaptiveVsFixed = figuresOf(samples, against === undefined ? loads.map(adaptiveVersusFixed) : []);
  const headline = against === undefined ? headlineOf(samples, adaptiveVsFixed) : [];
  const ratios: KeyedValue[] = [
    ...headline,
    ...[...adaptiveVsFixed, ...comparisons].map(({ key, median }) => ({ key, value: median })),
  ];
  const column = (callers: number) => ({ header: `@${callers}`, cell: cellName(callers) });
  const report = [
    `batching: Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds; a batch of n takes 10 ms + 1 ms·n.`,
    `Most that can be done, calls/s: ${loads.map((callers) => `@${callers} ${optimum(callers).toFixed(0)}`).join('  ')}\n`,
    table(
      { title: 'calls/s', columns: loads.map((load) => ({ ...column(load), metric: 'throughput' })) },
      rows,
    ),
    table({ title: 'p50 in ms', columns: loads.map((load) => ({ ...column(load), metric: 'p50' })) }, rows),
    figureTable(adaptiveVsFixed),
    comparisonTable(comparisons, against),
    ...headline.map(({ key, value }) => `  ${key}  ${value.toPrecision(4)}`),
    ...notes,
  ]
    .filter((part) => part !== '')
    .join('\n');
  return { report, ratios, comparisons, rows, failures: [...failures, ...failuresOf(comparisons)] };
};

function versusBefore(of: string, metric: string, callers: number, limit: Limit): ComparisonSpec {
  return { key: `batching.${metric}_${of}_${callers}_vs_before`, cell: cellName(callers), metric, of, limit };
}

function adaptiveVersusFixed(callers: number): KeySpec {
  return {
    key: `batching.adaptive_vs_fixed_${callers}`,
    cell: cellName(callers),
    metric: 'throughput',
    of: 'adaptive',
    against: 'fixed',
  };
}

/** What stands for all loads. */
function headlineOf(samples: readonly Sample[], adaptiveVsFixed: readonly KeyFigure[]): KeyedValue[] {
  const optima = figuresOf(
    samples,
    MODES.map((of) => ({ key: of, cell: cellName(64), metric: 'throughput', of })),
  );
  const http = figuresOf(samples, [
    { key: 'http', cell: cellName(HTTP_CALLERS), metric: 'throughput', of: HTTP },
  ]);
  const lone = figuresOf(samples, [{ key: 'p50', cell: cellName(1), metric: 'p50', of: 'adaptive' }]);
  return [
    ...optima.map(({ key, median }) => ({
      key: key === 'adaptive' ? 'batching.throughput64_vs_optimum' : 'batching.fixed_throughput64_vs_optimum',
      value: median / optimum(64),
    })),
    ...http.map(({ median }) => ({
      key: 'batching.http64_vs_optimum',
      value: median / optimum(HTTP_CALLERS),
    })),
    ...summaryOf(adaptiveVsFixed),
    ...lone.map(({ median }) => ({ key: 'batching.added_wait_ms_1_caller', value: median - costMs(1) })),
  ];
}

function summaryOf(figures: readonly KeyFigure[]): KeyedValue[] {
  if (figures.length === 0) return [];
  const logs = figures.map(({ median }) => Math.log(median));
  return [
    {
      key: 'batching.adaptive_vs_fixed_geomean',
      value: Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length),
    },
    { key: 'batching.adaptive_vs_fixed_worst', value: Math.min(...figures.map(({ median }) => median)) },
  ];
}

function contender(mode: string, { suffix, root }: Build, ms: number, cells: readonly string[]): Contender {
  return {
    name: `${mode}${suffix}`,
    cells,
    start: async () => {
      const child = await Child.start<MeasureLoad, Metrics>(mode, CHILD, [mode], START_TIMEOUT_MS, root);
      return {
        measure: (cell) => child.ask({ callers: Number.parseInt(cell, 10), ms }, 4 * ms + CELL_SLACK_MS),
        stop: () => child.stop(),
      };
    },
  };
}
