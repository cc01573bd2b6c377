import { availableParallelism } from 'node:os';
import type { Bench } from '../harness/bench.ts';
import { Child } from '../harness/child.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, rowsOf } from '../harness/samples.ts';
import { figureTable, table } from '../harness/table.ts';
import { REPLICA_CELLS, REPLICA_CONTENDERS } from '../replica/contenders.ts';
import { CELLS, cellName, NEIGHBOUR } from './cells.ts';
import { type Load, type ServerSpec, serverContender, UNITS } from './contenders.ts';
import { KEYS, TABLES } from './report.ts';

const LOAD = new URL('../load/child.ts', import.meta.url);
const START_TIMEOUT_MS = 20_000;

const ALL = CELLS.map(({ name }) => name);
const WITHOUT_STREAM = CELLS.flatMap(({ name, workload }) => (workload === 'stream' ? [] : [name]));
const JSON_ONLY = [1, 64, 256].map((connections) => cellName('json', connections));

const SERVERS: readonly ServerSpec[] = [
  { framework: 'express', backend: 'plain', cells: [...ALL, NEIGHBOUR] },
  { framework: 'express', backend: 'inline', cells: ALL },
  { framework: 'express', backend: 'thread', cells: [...ALL, NEIGHBOUR] },
  { framework: 'express', backend: 'piscina', cells: [...WITHOUT_STREAM, NEIGHBOUR] },
  { framework: 'express', backend: 'piscina-default', cells: JSON_ONLY },
  ...['koa', 'fastify', 'middie'].flatMap((framework): ServerSpec[] => [
    { framework, backend: 'plain', cells: JSON_ONLY },
    { framework, backend: 'thread', cells: JSON_ONLY },
  ]),
  { framework: 'node', backend: 'plain', cells: ALL },
  { framework: 'node', backend: 'inline', cells: ALL },
  { framework: 'node', backend: 'thread', cells: ALL },
  { framework: 'node', backend: 'piscina', cells: WITHOUT_STREAM },
  { framework: 'node', backend: 'piscina-default', cells: JSON_ONLY },
];

export const http: Bench = async ({ rounds = 3, ms = 400, only = '', autocannon = false }) => {
  const start = (name: string): Promise<Load> =>
    Child.start(name, LOAD, [autocannon ? 'autocannon' : 'own'], START_TIMEOUT_MS);
  const loads = { load: await start('load'), background: await start('background load') };
  try {
    const { samples, failures, notes } = await runRounds({
      contenders: [...SERVERS.map((spec) => serverContender(spec, ms, loads)), ...REPLICA_CONTENDERS]
        .map((contender) => chosen(contender, only))
        .filter(({ cells }) => cells.length > 0),
      cells: [...ALL, NEIGHBOUR, ...REPLICA_CELLS],
      rounds,
      progress: (line) => console.error(line),
    });
    const rows = rowsOf(samples, UNITS);
    const figures = figuresOf(samples, KEYS);
    const generator = autocannon ? 'autocannon' : 'the own generator';
    const header = `http: Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds, ${ms} ms per cell, ${generator}.
Values: median (min–max) over the rounds. Key figures: taken within each round, where both sides ran moments apart,
then the median of the rounds' figures, so that slow phases of a noisy machine cancel out.\n`;
    const report = [header, ...TABLES.map((spec) => table(spec, rows)), figureTable(figures), ...notes]
      .filter((part) => part !== '')
      .join('\n');
    const ratios = figures.map(({ key, median }) => ({ key, value: median }));
    return { report, ratios, rows, failures };
  } finally {
    await Promise.all([loads.load.stop(), loads.background.stop()]);
  }
};

function chosen(contender: Contender, only: string): Contender {
  const { name, cells } = contender;
  const parts = only.split(',');
  return {
    ...contender,
    cells: cells.filter((cell) => parts.some((part) => `${name}/${cell}`.includes(part))),
  };
}
