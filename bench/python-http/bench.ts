import type { Bench, KeyedValue } from '../harness/bench.ts';
import { closedLoop } from '../harness/closed-loop.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, type KeySpec, type Metrics, rowsOf } from '../harness/samples.ts';
import { figureTable, table } from '../harness/table.ts';
import { hasPackage, RunningServer, SERVERS, type ServerSpec } from './contenders.ts';

const CONNECTIONS = 32;
const CELL = `predict@${CONNECTIONS}`;
const WARM_UP_MS = 1_500;

const RATIOS: readonly KeySpec[] = [
  { key: 'python.http_vs_fastapi', of: 'inserve', against: 'FastAPI', goal: '≥ 1.2' },
  { key: 'python.http_batched_vs_fastapi', of: 'inserve batched', against: 'FastAPI', goal: '≥ 2' },
  { key: 'python.http_vs_ray', of: 'inserve', against: 'Ray Serve', goal: '≥ 10' },
  { key: 'python.http_batched_vs_ray', of: 'inserve batched', against: 'Ray Serve' },
].map((spec) => ({ ...spec, cell: CELL, metric: 'throughput' }));

/** Measures a server that runs alone: Ray Serve is never idle. */
async function measure(spec: ServerSpec, ms: number): Promise<Metrics> {
  const server = await RunningServer.start(spec, CONNECTIONS);
  try {
    const load = (duration: number): Promise<Metrics> =>
      closedLoop({ inFlight: CONNECTIONS, ms: duration, call: () => () => server.predict() });
    await load(WARM_UP_MS);
    const { throughput = 0 } = await load(ms);
    return { throughput };
  } finally {
    await server.stop();
  }
}

/** The same class of scikit-learn over HTTP, two processes of Python each, called over 32 connections. */
export const pythonHttp: Bench = async ({ rounds = 5, ms = 2_000, only = '' }) => {
  const wanted = SERVERS.filter(({ name }) => `${name}/${CELL}`.includes(only));
  const present = wanted.filter(({ needs }) => hasPackage(needs));
  const absent = wanted
    .filter((spec) => !present.includes(spec))
    .map(({ name, needs }) => `${name} is left out: Python has no ${needs}.`);
  const contenders = present.map(
    (spec): Contender => ({
      name: spec.name,
      cells: [CELL],
      start: async () => ({ measure: () => measure(spec, ms), stop: async () => undefined }),
    }),
  );
  const { samples, failures, notes } = await runRounds({
    contenders,
    cells: [CELL],
    rounds,
    progress: (line) => console.error(line),
  });
  const rows = rowsOf(samples, { throughput: 'requests/s' });
  const figures = figuresOf(samples, RATIOS);
  const title = `POST of four numbers over ${CONNECTIONS} connections, two processes of Python each; requests/s`;
  const columns = [{ header: 'requests/s', cell: CELL, metric: 'throughput' }];
  const report = [...absent, table({ title, columns }, rows), figureTable(figures), ...notes].join('\n');
  const ratios: KeyedValue[] = figures.map(({ key, median }) => ({ key, value: median }));
  return { report, ratios, rows, failures };
};
