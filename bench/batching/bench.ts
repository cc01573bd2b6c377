import { availableParallelism } from 'node:os';
import type { Bench, KeyedValue } from '../harness/bench.ts';
import { Child } from '../harness/child.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, type KeyFigure, type KeySpec, type Metrics, rowsOf } from '../harness/samples.ts';
import { figureTable, table } from '../harness/table.ts';
import type { MeasureLoad } from './child.ts';
import { cellName, costMs, LOADS, optimum } from './loads.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const START_TIMEOUT_MS = 20_000;
const CELL_SLACK_MS = 20_000;

/** `batch()` with a fixed and with an adaptive window, against what a replica could do at most. */
export const batching: Bench = async ({ rounds = 5, ms = 1_500, only = '' }) => {
  const loads = LOADS.filter((callers) => cellName(callers).includes(only));
  const cells = loads.map(cellName);
  const { samples, failures, notes } = await runRounds({
    contenders: ['fixed', 'adaptive'].map((mode) => contender(mode, ms, cells)),
    cells,
    rounds,
    progress: (line) => console.error(line),
  });
  const rows = rowsOf(samples, { throughput: 'calls/s', p50: 'ms' });
  const adaptiveVsFixed = figuresOf(samples, loads.map(adaptiveVersusFixed));
  const optima = figuresOf(
    samples,
    ['fixed', 'adaptive'].map((of) => ({
      key: of,
      cell: cellName(64),
      metric: 'throughput',
      of,
    })),
  );
  const lone = figuresOf(samples, [{ key: 'p50', cell: cellName(1), metric: 'p50', of: 'adaptive' }]);
  const ratios: KeyedValue[] = [
    ...optima.map(({ key, median }) => ({
      key: key === 'adaptive' ? 'batching.throughput64_vs_optimum' : 'batching.fixed_throughput64_vs_optimum',
      value: median / optimum(64),
    })),
    ...summaryOf(adaptiveVsFixed),
    ...lone.map(({ median }) => ({ key: 'batching.added_wait_ms_1_caller', value: median - costMs(1) })),
    ...adaptiveVsFixed.map(({ key, median }) => ({ key, value: median })),
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
    ...ratios.slice(0, 5).map(({ key, value }) => `  ${key}  ${value.toPrecision(4)}`),
    ...notes,
  ].join('\n');
  return { report, ratios, rows, failures };
};

function adaptiveVersusFixed(callers: number): KeySpec {
  return {
    key: `batching.adaptive_vs_fixed_${callers}`,
    cell: cellName(callers),
    metric: 'throughput',
    of: 'adaptive',
    against: 'fixed',
  };
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

function contender(mode: string, ms: number, cells: readonly string[]): Contender {
  return {
    name: mode,
    cells,
    start: async () => {
      const child = await Child.start<MeasureLoad, Metrics>(mode, CHILD, [mode], START_TIMEOUT_MS);
      return {
        measure: (cell) => child.ask({ callers: Number.parseInt(cell, 10), ms }, 4 * ms + CELL_SLACK_MS),
        stop: () => child.stop(),
      };
    },
  };
}
