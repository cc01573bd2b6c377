import { availableParallelism } from 'node:os';
import type { Bench, KeyedValue } from '../harness/bench.ts';
import { type ComparisonSpec, comparisonsOf, comparisonTable, failuresOf } from '../harness/comparison.ts';
import { type Failure, runRounds } from '../harness/rounds.ts';
import { figuresOf, type KeyFigure, type Row, rowsOf, type Sample } from '../harness/samples.ts';
import { figureTable, listing } from '../harness/table.ts';
import { stepsPerMs } from './calibrate.ts';
import type { Cell } from './cell.ts';
import { QUEUE_KEY, queues } from './cells/queue.ts';
import { CELLS } from './cells.ts';
import { contendersOf } from './contenders.ts';

/** Threads that compute at the same time in most cells. */
const THREADS = 2;

/** Methods that compute: what waits for whom, and what it costs, against plain worker threads and a pool. */
export const compute: Bench = async ({ against, rounds, ms, only = '' }) => {
  const samples: Sample[] = [];
  const rows: Row[] = [];
  const failures: Failure[] = [];
  const notes: string[] = [];
  const speed = Math.round(await stepsPerMs(THREADS));
  for (const cell of CELLS) {
    const contenders = contendersOf(cell, speed, ms ?? cell.ms, only, against);
    if (contenders.length === 0) continue;
    const result = await runRounds({
      contenders,
      cells: [cell.name],
      rounds: rounds ?? cell.rounds,
      progress: (line) => console.error(`${cell.name}: ${line}`),
    });
    samples.push(...result.samples);
    rows.push(...rowsOf(result.samples, cell.units));
    failures.push(...result.failures);
    notes.push(...result.notes);
  }
  const figures = figuresOf(
    samples,
    CELLS.flatMap(({ name: cell, keys }) => keys.map((key) => ({ ...key, cell }))),
  );
  const comparisons = against === undefined ? [] : comparisonsOf(samples, CELLS.flatMap(versusBefore));
  const report = [
    `compute: Node ${process.version}, ${availableParallelism()} cores; 1 ms is ${speed} steps. Values: median (min–max) over the rounds.\n`,
    listing('measured', rows),
    figureTable(figures),
    comparisonTable(comparisons, against),
    ...notes,
  ]
    .filter((part) => part !== '')
    .join('\n');
  return {
    report,
    ratios: [
      ...[...figures, ...comparisons].map(({ key, median }) => ({ key, value: median })),
      ...worstQueue(figures),
    ],
    comparisons,
    rows,
    failures: [...failures, ...failuresOf(comparisons)],
  };
};

function versusBefore({ name: cell, versusBefore: spec }: Cell): ComparisonSpec[] {
  return spec === undefined ? [] : [{ ...spec, cell, of: 'inserve' }];
}

/** The key that stands for all loads, once all of them are measured. */
function worstQueue(figures: readonly KeyFigure[]): KeyedValue[] {
  const waits = figures.filter(({ key }) => key.startsWith(QUEUE_KEY)).map(({ median }) => median);
  return waits.length === queues.length ? [{ key: QUEUE_KEY, value: Math.max(...waits) }] : [];
}
