import { availableParallelism } from 'node:os';
import type { Bench } from '../harness/bench.ts';
import { type Build, buildsOf, PAIRS } from '../harness/builds.ts';
import { Child } from '../harness/child.ts';
import { CLOSED_LOOP_UNITS } from '../harness/closed-loop.ts';
import { comparisonsOf, comparisonTable, failuresOf } from '../harness/comparison.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, type Metrics, rowsOf } from '../harness/samples.ts';
import { figureTable, table } from '../harness/table.ts';
import { CELLS } from './cells.ts';
import type { MeasureCell } from './child.ts';
import { IMPLEMENTATIONS } from './implementations.ts';
import { COMPARISONS, RATIOS, TABLES } from './report.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const START_TIMEOUT_MS = 20_000;
/** On top of a cell's own time: what is still in flight at its end, and the start of a second pool. */
const CELL_SLACK_MS = 15_000;

export const threads: Bench = async ({ against, rounds = against ? PAIRS : 7, ms = 200, only = '' }) => {
  const names = against === undefined ? Object.keys(IMPLEMENTATIONS) : ['inserve'];
  const contenders = names
    .flatMap((name) => buildsOf(against).map((build) => contender(name, build, ms, only)))
    .filter(({ cells }) => cells.length > 0);
  const cells = CELLS.map(({ name }) => name);
  const { samples, failures, notes } = await runRounds({
    contenders,
    cells,
    rounds,
    progress: (line) => console.error(line),
  });
  const rows = rowsOf(samples, CLOSED_LOOP_UNITS);
  const figures = figuresOf(samples, RATIOS);
  const comparisons = against === undefined ? [] : comparisonsOf(samples, COMPARISONS);
  const machine = `Node ${process.version}, ${availableParallelism()} cores`;
  const header = `threads: ${machine}, ${rounds} rounds, ${ms} ms per cell.
Values: median (min–max) over the rounds. Ratios: taken within each round, where both sides ran moments apart,
then the median of the rounds' ratios, so that slow phases of a noisy machine cancel out.
Latency ratios above 1 and throughput ratios below 1 mean slower than what it is compared with.\n`;
  const report = [
    header,
    ...TABLES.map((spec) => table(spec, rows)),
    figureTable(figures),
    comparisonTable(comparisons, against),
    ...notes,
  ]
    .filter((part) => part !== '')
    .join('\n');
  return {
    report,
    ratios: [...figures, ...comparisons].map(({ key, median }) => ({ key, value: median })),
    comparisons,
    rows,
    failures: [...failures, ...failuresOf(comparisons)],
  };
};

function contender(name: string, { suffix, root }: Build, ms: number, only: string): Contender {
  const cells = CELLS.filter(
    (cell) =>
      (cell.load !== 'recycle' || IMPLEMENTATIONS[name]?.recycles === true) &&
      `${name}/${cell.name}`.includes(only),
  );
  return {
    name: `${name}${suffix}`,
    cells: cells.map((cell) => cell.name),
    start: async () => {
      const child = await Child.start<MeasureCell, Metrics>(name, CHILD, [name], START_TIMEOUT_MS, root);
      return {
        measure: (cell) => child.ask({ cell, ms }, 2 * ms + CELL_SLACK_MS),
        stop: () => child.stop(),
      };
    },
  };
}
