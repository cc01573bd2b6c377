import { availableParallelism } from 'node:os';
import type { Bench } from '../harness/bench.ts';
import { Child } from '../harness/child.ts';
import { CLOSED_LOOP_UNITS } from '../harness/closed-loop.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, type KeySpec, type Metrics, rowsOf } from '../harness/samples.ts';
import { figureTable, type TableSpec, table } from '../harness/table.ts';
import { CELLS, cellsOf } from './cells.ts';
import type { MeasureCell } from './child.ts';
import { IMPLEMENTATIONS } from './implementations.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const START_TIMEOUT_MS = 30_000;
const CELL_SLACK_MS = 15_000;

const RATIOS: readonly KeySpec[] = [
  ratio('three_nodes_vs_one_call', 'small@1', 'p50', 'three nodes', 'one call'),
  ratio('three_deployments_vs_by_hand', 'small@1', 'p50', 'three deployments', 'by hand'),
  ratio('cpu64_vs_by_hand', 'small@64', 'cpu', 'three deployments', 'by hand'),
  ratio('frame1MiB_vs_by_hand', 'frame1MiB@1', 'p50', 'three deployments', 'by hand'),
  ratio('direct_vs_relayed_throughput', 'small@64', 'throughput', 'direct', 'relayed'),
  ratio('direct_vs_relayed_p50', 'small@1', 'p50', 'direct', 'relayed'),
];

const TABLES: readonly TableSpec[] = [
  {
    title:
      'small values: latency in µs with one in flight; thousand requests/s; main-thread CPU per request in µs',
    columns: [
      { header: 'p50', cell: 'small@1', metric: 'p50' },
      { header: '@16', cell: 'small@16', metric: 'throughput', per: 1e3 },
      { header: '@64', cell: 'small@64', metric: 'throughput', per: 1e3 },
      { header: 'CPU @64', cell: 'small@64', metric: 'cpu' },
    ],
  },
  {
    title:
      'a frame of 1 MiB from stage to stage: latency in µs, requests/s, main-thread CPU per request in µs',
    columns: [
      { header: 'p50', cell: 'frame1MiB@1', metric: 'p50' },
      { header: '@16', cell: 'frame1MiB@16', metric: 'throughput' },
      { header: 'CPU @16', cell: 'frame1MiB@16', metric: 'cpu' },
    ],
  },
];

/** What a graph costs over the calls in it, and what it is worth that replicas reach each other directly. */
export const graph: Bench = async ({ rounds = 7, ms = 300, only = '' }) => {
  const { samples, failures, notes } = await runRounds({
    contenders: Object.keys(IMPLEMENTATIONS)
      .map((name) => contender(name, ms, only))
      .filter(({ cells }) => cells.length > 0),
    cells: CELLS.map(({ name }) => name),
    rounds,
    progress: (line) => console.error(line),
  });
  const rows = rowsOf(samples, CLOSED_LOOP_UNITS);
  const ratios = figuresOf(samples, RATIOS);
  const report = [
    `graph: Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds, ${ms} ms per cell.\n`,
    ...TABLES.map((spec) => table(spec, rows)),
    figureTable(ratios),
    ...notes,
  ]
    .filter((part) => part !== '')
    .join('\n');
  return { report, ratios: ratios.map(({ key, median }) => ({ key, value: median })), rows, failures };
};

function ratio(name: string, cell: string, metric: string, of: string, against: string): KeySpec {
  return { key: `graph.${name}`, cell, metric, of, against };
}

function contender(name: string, ms: number, only: string): Contender {
  return {
    name,
    cells: cellsOf(name)
      .map((cell) => cell.name)
      .filter((cell) => `${name}/${cell}`.includes(only)),
    start: async () => {
      const child = await Child.start<MeasureCell, Metrics>(name, CHILD, [name], START_TIMEOUT_MS);
      return {
        measure: (cell) => child.ask({ cell, ms }, 2 * ms + CELL_SLACK_MS),
        stop: () => child.stop(),
      };
    },
  };
}
