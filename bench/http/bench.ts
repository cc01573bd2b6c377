import { availableParallelism } from 'node:os';
import type { Bench } from '../harness/bench.ts';
import { buildsOf, type OtherBuild, PAIRS } from '../harness/builds.ts';
import { Child } from '../harness/child.ts';
import { comparisonsOf, comparisonTable, failuresOf } from '../harness/comparison.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, rowsOf } from '../harness/samples.ts';
import { figureTable, table } from '../harness/table.ts';
import { REPLICA_CELLS, REPLICA_CONTENDERS } from '../replica/contenders.ts';
import { CELLS, CONNECTIONS, cellName, NEIGHBOUR } from './cells.ts';
import { type Load, type Loads, type ServerSpec, serverContender, UNITS } from './contenders.ts';
import { KEYS, TABLES, versusBefore } from './report.ts';

const LOAD = new URL('../load/child.ts', import.meta.url);
const START_TIMEOUT_MS = 20_000;

const ALL = CELLS.map(({ name }) => name);
const WITHOUT_STREAM = (['json', 'echo', 'upload'] as const).flatMap((workload) =>
  CONNECTIONS.map((connections) => cellName(workload, connections)),
);
const JSON_ONLY = CONNECTIONS.map((connections) => cellName('json', connections));
const TOKEN_CELLS = CELLS.flatMap(({ name, workload }) => (workload === 'tokens' ? [name] : []));

/** What two builds are compared in: one round takes 45 s. */
const COMPARED: readonly ServerSpec[] = [
  {
    framework: 'express',
    backend: 'thread',
    cells: [
      ...JSON_ONLY,
      ...(['echo', 'upload', 'stream'] as const).map((workload) => cellName(workload, 64)),
    ],
  },
  { framework: 'express', backend: 'inline', cells: [cellName('json', 64)] },
  { framework: 'node', backend: 'thread', cells: [...JSON_ONLY, ...TOKEN_CELLS] },
];

const COMPARISONS = COMPARED.flatMap(({ framework, backend, cells }) =>
  CELLS.filter(({ name }) => cells.includes(name)).flatMap((cell) =>
    versusBefore(`${framework}-${backend}`, cell),
  ),
);

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
  { framework: 'node', backend: 'alone', cells: [cellName('json', 64)] },
  { framework: 'node', backend: 'floor', cells: [cellName('json', 64)] },
  { framework: 'node', backend: 'piscina', cells: WITHOUT_STREAM },
  { framework: 'node', backend: 'piscina-default', cells: JSON_ONLY },
];

export const http: Bench = async ({
  against,
  rounds = against ? PAIRS : 3,
  ms = 400,
  only = '',
  autocannon = false,
}) => {
  const start = (name: string): Promise<Load> =>
    Child.start(name, LOAD, [autocannon ? 'autocannon' : 'own'], START_TIMEOUT_MS);
  const loads = { load: await start('load'), background: await start('background load') };
  try {
    const { samples, failures, notes } = await runRounds({
      contenders: contenders(against, ms, loads, only),
      cells: [...ALL, NEIGHBOUR, ...REPLICA_CELLS],
      rounds,
      progress: (line) => console.error(line),
    });
    const rows = rowsOf(samples, UNITS);
    const figures = figuresOf(samples, KEYS);
    const comparisons = against === undefined ? [] : comparisonsOf(samples, COMPARISONS);
    const generator = autocannon ? 'autocannon' : 'the own generator';
    const header = `http: Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds, ${ms} ms per cell, ${generator}.
Values: median (min–max) over the rounds. Key figures: taken within each round, where both sides ran moments apart,
then the median of the rounds' figures, so that slow phases of a noisy machine cancel out.\n`;
    const report = [
      header,
      ...TABLES.map((spec) => table(spec, rows)),
      figureTable(figures),
      comparisonTable(comparisons, against),
      ...notes,
    ]
      .filter((part) => part !== '')
      .join('\n');
    const ratios = [...figures, ...comparisons].map(({ key, median }) => ({ key, value: median }));
    return { report, ratios, comparisons, rows, failures: [...failures, ...failuresOf(comparisons)] };
  } finally {
    await Promise.all([loads.load.stop(), loads.background.stop()]);
  }
};

function contenders(
  against: OtherBuild | undefined,
  ms: number,
  loads: Loads,
  only: string,
): readonly Contender[] {
  const servers = (against === undefined ? SERVERS : COMPARED).map((spec) => chosen(spec, only));
  const others = REPLICA_CONTENDERS.map(({ name, cells, start }) => ({
    name,
    cells: cells.filter((cell) => isChosen(name, cell, only)),
    start,
  }));
  return [
    ...servers.flatMap((spec) => buildsOf(against).map((build) => serverContender(spec, build, ms, loads))),
    ...(against === undefined ? others : []),
  ].filter(({ cells }) => cells.length > 0);
}

function chosen(spec: ServerSpec, only: string): ServerSpec {
  const cells = spec.cells.filter((cell) => isChosen(`${spec.framework}-${spec.backend}`, cell, only));
  return { ...spec, cells };
}

function isChosen(contender: string, cell: string, only: string): boolean {
  return only.split(',').some((part) => `${contender}/${cell}`.includes(part));
}
