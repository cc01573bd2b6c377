import { availableParallelism } from 'node:os';
import type { Bench } from '../harness/bench.ts';
import { Child } from '../harness/child.ts';
import { CLOSED_LOOP_UNITS } from '../harness/closed-loop.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, type Metrics, rowsOf, type Sample } from '../harness/samples.ts';
import { figureTable, table } from '../harness/table.ts';
import type { MeasureCell } from './child.ts';
import { CELLS, RATIOS, TABLES } from './report.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const START_TIMEOUT_MS = 30_000;
/** On top of a cell's own time: processes that start and die. */
const CELL_SLACK_MS = 60_000;

const UNITS = { ...CLOSED_LOOP_UNITS, deathP50: 'ms', deathP99: 'ms' };

export const childProcess: Bench = async ({ rounds = 7, ms = 400, only = '' }) => {
  const contenders = ['thread', 'process', 'stream']
    .map((name) => contender(name, ms, only))
    .filter(({ cells }) => cells.length > 0);
  const { samples, failures, notes } = await runRounds({
    contenders,
    cells: CELLS,
    rounds,
    progress: (line) => console.error(line),
  });
  const rows = rowsOf(samples, UNITS);
  const figures = figuresOf([...samples, ...floorsOf(samples)], RATIOS);
  const header = `process: Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds, ${ms} ms per cell.
thread, process: inserve with that isolation; stream: a bare echo in a child process over file descriptor 3.
Values: median (min–max) over the rounds. Ratios: taken within each round, then the median of the rounds' ratios.\n`;
  const report = [header, ...TABLES.map((spec) => table(spec, rows)), figureTable(figures), ...notes]
    .filter((part) => part !== '')
    .join('\n');
  return { report, ratios: figures.map(({ key, median }) => ({ key, value: median })), rows, failures };
};

function contender(name: string, ms: number, only: string): Contender {
  return {
    name,
    cells: CELLS.filter((cell) => `${name}/${cell}`.includes(only)),
    start: async () => {
      const child = await Child.start<MeasureCell, Metrics>(name, CHILD, [name], START_TIMEOUT_MS);
      return {
        measure: (cell) => child.ask({ cell, ms }, 2 * ms + CELL_SLACK_MS),
        stop: () => child.stop(),
      };
    },
  };
}

/** The sums of both floors, of a call to a thread and of a bare call to a process, each of one round. */
function floorsOf(samples: readonly Sample[]): Sample[] {
  const of = (implementation: string): Sample[] =>
    samples.filter((sample) => sample.implementation === implementation && sample.cell === 'small@1');
  return of('thread').flatMap(({ round, cell, metrics }) => {
    const bare = of('stream').find((sample) => sample.round === round)?.metrics['p50'];
    const { p50 } = metrics;
    if (bare === undefined || p50 === undefined) return [];
    return [{ round, implementation: 'floors', cell, metrics: { p50: p50 + bare } }];
  });
}
