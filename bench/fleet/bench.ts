import { availableParallelism } from 'node:os';
import type { Bench } from '../harness/bench.ts';
import { Child } from '../harness/child.ts';
import { CLOSED_LOOP_UNITS } from '../harness/closed-loop.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, type Metrics, rowsOf } from '../harness/samples.ts';
import { figureTable, table } from '../harness/table.ts';
import { CELLS } from './cells.ts';
import type { MeasureCell } from './child.ts';
import { CONTENDERS } from './contenders.ts';
import { faults } from './faults.ts';
import { RATIOS, TABLES } from './report.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const SERVER = new URL('./server.ts', import.meta.url);
const START_TIMEOUT_MS = 30_000;
/** How often a peer is killed under load. */
const KILLS = 20;
/** On top of a cell's own time: what is still in flight at its end. */
const CELL_SLACK_MS = 15_000;

export const fleet: Bench = async ({ rounds = 7, ms = 400, only = '' }) => {
  const contenders = Object.keys(CONTENDERS)
    .map((name) => contender(name, ms, only))
    .filter(({ cells }) => cells.length > 0);
  const { samples, failures, notes } = await runRounds({
    contenders,
    cells: CELLS.map(({ name }) => name),
    rounds,
    progress: (line) => console.error(line),
  });
  const faulty = 'faults'.includes(only)
    ? await faults(KILLS, (line) => console.error(line))
    : { figures: [], rows: [], notes: [] };
  const rows = [...rowsOf(samples, CLOSED_LOOP_UNITS), ...faulty.rows];
  const figures = [...figuresOf(samples, RATIOS), ...faulty.figures];
  const header = `fleet: Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds, ${ms} ms per cell.
One process calls another over a connection of the loopback interface. Values: median (min–max) over the rounds.
Ratios: taken within each round, then the median of the rounds' ratios.\n`;
  const report = [
    header,
    ...TABLES.map((spec) => table(spec, rows)),
    figureTable(figures),
    ...notes,
    ...faulty.notes,
  ]
    .filter((part) => part !== '')
    .join('\n');
  return { report, ratios: figures.map(({ key, median }) => ({ key, value: median })), rows, failures };
};

/** Two processes: one that serves, and one that calls it. */
function contender(name: string, ms: number, only: string): Contender {
  const cells = CELLS.map((cell) => cell.name).filter((cell) => `${name}/${cell}`.includes(only));
  return {
    name,
    cells,
    start: async () => {
      const server = await Child.start<'port', number>(`${name} (server)`, SERVER, [name], START_TIMEOUT_MS);
      try {
        const port = await server.ask('port', START_TIMEOUT_MS);
        const args = [name, String(port), String(server.pid)];
        const caller = await Child.start<MeasureCell, Metrics>(name, CHILD, args, START_TIMEOUT_MS);
        return {
          measure: (cell) => caller.ask({ cell, ms }, 2 * ms + CELL_SLACK_MS),
          stop: async () => {
            const remarks = [await caller.stop(), await server.stop()].filter(
              (remark) => remark !== undefined,
            );
            return remarks.length === 0 ? undefined : remarks.join('; ');
          },
        };
      } catch (error) {
        await server.stop();
        throw error;
      }
    },
  };
}
