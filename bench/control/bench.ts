import { availableParallelism } from 'node:os';
import type { Bench, KeyedValue } from '../harness/bench.ts';
import { Child } from '../harness/child.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { type Metrics, type Row, rowsOf, type Sample } from '../harness/samples.ts';
import { median } from '../harness/statistics.ts';
import { listing } from '../harness/table.ts';
import type { Cell, CellKey } from './cell.ts';
import { CELLS } from './cells.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const START_TIMEOUT_MS = 20_000;

/** What the control plane does, and how soon. Every cell runs alone, in a fresh process. */
export const control: Bench = async ({ rounds, only = '' }) => {
  const samples: Sample[] = [];
  const rows: Row[] = [];
  const failures = [];
  const notes: string[] = [];
  const chosen = CELLS.filter(({ name }) => name.includes(only));
  for (const cell of chosen) {
    const result = await runRounds({
      contenders: [contender(cell)],
      cells: [cell.name],
      rounds: rounds ?? cell.rounds,
      progress: (line) => console.error(`${cell.name}: ${line}`),
    });
    samples.push(...result.samples);
    rows.push(...rowsOf(result.samples, cell.units));
    failures.push(...result.failures);
    notes.push(...result.notes);
  }
  const ratios = chosen.flatMap((cell) => cell.keys.flatMap((key) => reduced(key, cell.name, samples)));
  const goals = new Map(chosen.flatMap(({ keys }) => keys.map(({ key, goal }) => [key, goal])));
  const report = [
    `control: Node ${process.version}, ${availableParallelism()} cores. Values: median (min–max) over the rounds.\n`,
    listing('measured', rows),
    ...ratios.map(({ key, value }) => `  ${key}  ${Number(value.toPrecision(4))}  (goal: ${goals.get(key)})`),
    ...notes,
  ].join('\n');
  return { report, ratios, rows, failures };
};

function contender(cell: Cell): Contender {
  return {
    name: 'inserve',
    cells: [cell.name],
    start: async () => {
      const child = await Child.start<'measure', Metrics>(cell.name, CHILD, [cell.name], START_TIMEOUT_MS);
      return { measure: () => child.ask('measure', cell.timeoutMs), stop: () => child.stop() };
    },
  };
}

function reduced(
  { key, metric, reduction = 'median' }: CellKey,
  cell: string,
  samples: readonly Sample[],
): KeyedValue[] {
  const values = samples
    .filter((sample) => sample.cell === cell)
    .map(({ metrics }) => metrics[metric] ?? NaN);
  if (values.length === 0) return [];
  if (reduction === 'max') return [{ key, value: Math.max(...values) }];
  if (reduction === 'sum') return [{ key, value: values.reduce((sum, value) => sum + value, 0) }];
  return [{ key, value: median(values) }];
}
