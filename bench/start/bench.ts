import { availableParallelism } from 'node:os';
import type { Bench } from '../harness/bench.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, type KeySpec, rowsOf } from '../harness/samples.ts';
import { figureTable, type TableSpec, table } from '../harness/table.ts';
import { REPLICA_CELLS, REPLICA_CONTENDERS } from '../replica/contenders.ts';
import { firstAnswerMs } from './first-answer.ts';

const PROGRAMS = ['plain', 'piscina', 'inserve'] as const;
/** Each round starts each program so often, in turn with the others. */
const STARTS = 5;
const FIRST_ANSWER = 'first answer';

const UNITS = { process: 'ms', start: 'ms', firstMemory: 'MiB', memory: 'MiB' };

/** Express alone, with a pool of piscina, and with one replica. */
const SERVERS: readonly Contender[] = PROGRAMS.map((program) => ({
  name: program,
  cells: Array.from({ length: STARTS }, (_, index) => `${FIRST_ANSWER} ${index + 1}`),
  start: async () => ({
    measure: async () => ({ process: await firstAnswerMs(program) }),
    stop: async () => undefined,
  }),
}));

const TABLES: readonly TableSpec[] = [
  {
    title: 'ms from the start of the process to its first answer, behind Express',
    columns: [{ header: 'first answer', cell: FIRST_ANSWER, metric: 'process' }],
  },
  {
    title:
      'one replica and one bare worker thread: ms to start, MiB of resident memory of the first (imports included) and of each further one',
    columns: [
      { header: 'start', cell: 'start', metric: 'start' },
      { header: 'first', cell: 'firstMemory', metric: 'firstMemory' },
      { header: 'further', cell: 'memory', metric: 'memory' },
    ],
  },
];

const KEYS: readonly KeySpec[] = [
  {
    key: 'start.process_to_first_200_vs_plain_ms',
    cell: FIRST_ANSWER,
    metric: 'process',
    of: 'inserve',
    against: 'plain',
    how: 'difference',
    goal: '≤ 250',
  },
  {
    key: 'start.process_to_first_200_vs_piscina_ms',
    cell: FIRST_ANSWER,
    metric: 'process',
    of: 'inserve',
    against: 'piscina',
    how: 'difference',
  },
  overBareWorker('first_replica_over_bare_worker_mib', 'firstMemory', 'firstMemory', '≤ 9'),
  overBareWorker('further_replica_over_bare_worker_mib', 'memory', 'memory', '≤ 3'),
  overBareWorker('replica_over_bare_worker_ms', 'start', 'start'),
];

function overBareWorker(name: string, cell: string, metric: string, goal?: string): KeySpec {
  const key = `start.${name}`;
  return {
    key,
    cell,
    metric,
    of: 'replica',
    against: 'worker',
    how: 'difference',
    ...(goal !== undefined && { goal }),
  };
}

/** How long the first answer takes and what a replica's thread weighs, beside Express alone and bare worker threads. */
export const start: Bench = async ({ rounds = 4, only = '' }) => {
  const isChosen = (name: string): boolean => only.split(',').some((part) => name.includes(part));
  const result = await runRounds({
    contenders: [...SERVERS, ...REPLICA_CONTENDERS].filter(({ name }) => isChosen(name)),
    cells: [...(SERVERS[0]?.cells ?? []), ...REPLICA_CELLS],
    rounds,
    progress: (line) => console.error(line),
  });
  // Each start of a process is a pair of its own with those beside it.
  const samples = result.samples.map((sample) => {
    const [, index] = /^first answer (\d+)$/.exec(sample.cell) ?? [];
    if (index === undefined) return sample;
    return { ...sample, cell: FIRST_ANSWER, round: sample.round * STARTS + Number(index) - 1 };
  });
  const rows = rowsOf(samples, UNITS);
  const figures = figuresOf(samples, KEYS);
  const header = `start: Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds of ${STARTS} starts.
Values: median (min–max). Key figures: differences of starts that ran moments apart, then their median.\n`;
  const report = [header, ...TABLES.map((spec) => table(spec, rows)), figureTable(figures), ...result.notes]
    .filter((part) => part !== '')
    .join('\n');
  const ratios = figures.map(({ key, median }) => ({ key, value: median }));
  return { report, ratios, rows, failures: result.failures };
};
