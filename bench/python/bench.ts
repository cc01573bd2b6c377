import { createServe } from 'inserve';
import type { Bench, KeyedValue } from '../harness/bench.ts';
import { type Call, CLOSED_LOOP_UNITS, closedLoop } from '../harness/closed-loop.ts';
import { type Metrics, rowsOf, type Sample } from '../harness/samples.ts';
import { median } from '../harness/statistics.ts';
import { align, short, table } from '../harness/table.ts';
import { javascript, python, slow } from './deployments.ts';
import { Floor } from './floor.ts';

const VALUE = { label: 'setosa', score: 0.5, tags: ['a', 'b'] };
const TENSOR = new Float32Array(262_144);

/** Calls that are compared, with the process in Python that answers them. */
interface Contender {
  readonly name: string;
  readonly pid: number | undefined;
  readonly echo: (value: unknown) => Promise<unknown>;
}

const CELLS = [
  { name: 'one', inFlight: 1, value: VALUE },
  { name: 'many', inFlight: 64, value: VALUE },
  { name: 'tensor', inFlight: 1, value: TENSOR },
] as const;

/** What a key is calculated from: the metrics of one round. */
type Round = (implementation: string, cell: string) => Metrics;

const KEYS: readonly { readonly key: string; readonly goal: string; readonly of: (at: Round) => number }[] = [
  {
    key: 'python.call_p50_vs_floors',
    goal: '≤ 1.3',
    of: (at) =>
      metric(at('Python', 'one'), 'p50') /
      (metric(at('floor', 'one'), 'p50') + metric(at('JavaScript', 'one'), 'p50')),
  },
  {
    key: 'python.call_cpu_vs_floors',
    goal: '≤ 1.7',
    of: (at) => cpu(at('Python', 'many')) / (cpu(at('task floor', 'many')) + cpu(at('JavaScript', 'many'))),
  },
  {
    key: 'python.throughput64_vs_task_floor',
    goal: '≥ 0.4',
    of: (at) => metric(at('Python', 'many'), 'throughput') / metric(at('task floor', 'many'), 'throughput'),
  },
  {
    key: 'python.tensor1MiB_vs_socket_floor',
    goal: '≥ 0.7',
    of: (at) => metric(at('Python', 'tensor'), 'throughput') / metric(at('floor', 'tensor'), 'throughput'),
  },
  {
    key: 'python.host_cpu_vs_javascript',
    goal: '≤ 1.2',
    of: (at) => metric(at('Python', 'many'), 'cpu') / metric(at('JavaScript', 'many'), 'cpu'),
  },
  {
    key: 'python.host_cpu_vs_slow_javascript',
    goal: '≤ 1.2',
    of: (at) => metric(at('Python', 'many'), 'cpu') / metric(at('slow JavaScript', 'many'), 'cpu'),
  },
  {
    key: 'python.floats10000_python_cpu_us',
    goal: '≤ 1000',
    of: (at) => metric(at('Python', 'floats'), 'server'),
  },
];

function metric(metrics: Metrics, name: string): number {
  const value = metrics[name];
  if (value === undefined) throw new Error(`${name} was not measured`);
  return value;
}

/** CPU per call of all threads on this side and of Python. */
function cpu(metrics: Metrics): number {
  return metric(metrics, 'process') + (metrics['server'] ?? 0);
}

/** Calls of a Python replica beside a bare asyncio echo over the same codec, and beside a replica in JavaScript. */
export const pythonCalls: Bench = async ({ rounds = 5, ms = 1_500 }) => {
  const serve = createServe();
  const floors = { echo: new Floor('echo'), tasks: new Floor('tasks') };
  const samples: Sample[] = [];
  try {
    const replica = await serve.run(python, { routePrefix: null });
    const thread = await serve.run(javascript, { routePrefix: null });
    const slowThread = await serve.run(slow, { routePrefix: null });
    const pid = await replica.pid.remote();
    const contenders: readonly Contender[] = [
      { name: 'floor', pid: floors.echo.pid, echo: (value) => floors.echo.echo(value) },
      { name: 'task floor', pid: floors.tasks.pid, echo: (value) => floors.tasks.echo(value) },
      { name: 'JavaScript', pid: undefined, echo: (value) => thread.echo.remote(value) },
      { name: 'slow JavaScript', pid: undefined, echo: (value) => slowThread.echo.remote(value) },
      { name: 'Python', pid, echo: (value) => replica.echo.remote(value) },
    ];
    const measure = async (
      round: number,
      implementation: string,
      cell: string,
      inFlight: number,
      call: Call,
      server?: number,
    ) => {
      const metrics = await closedLoop({
        inFlight,
        ms,
        call: () => call,
        ...(server !== undefined && { server }),
      });
      samples.push({ round, implementation, cell, metrics });
    };
    for (let round = 0; round < rounds; round++) {
      console.error(`round ${round + 1}/${rounds}`);
      const order = round % 2 === 0 ? contenders : contenders.toReversed();
      for (const { name, inFlight, value } of CELLS)
        for (const { name: who, echo, pid: server } of order)
          await measure(round, who, name, inFlight, () => echo(value), server);
      await measure(round, 'Python', 'floats', 1, () => replica.floats.remote(), pid);
    }
  } finally {
    for (const floor of Object.values(floors)) floor.close();
    await serve.close();
  }
  const rows = rowsOf(samples, CLOSED_LOOP_UNITS);
  const ratios: KeyedValue[] = KEYS.map(({ key, of }) => ({ key, value: median(inRounds(samples, of)) }));
  const figures = KEYS.map(({ key, goal }, index) => [
    key,
    short(ratios[index]?.value ?? 0),
    `goal: ${goal}`,
  ]);
  const columns = CELLS.flatMap(({ name }) => [
    { header: `${name}: calls/s`, cell: name, metric: 'throughput' },
    { header: 'Node µs', cell: name, metric: 'process' },
    { header: 'Python µs', cell: name, metric: 'server' },
  ]);
  const title =
    'one and many (64) calls in flight with a small object, and a Float32Array of 1 MiB there and back';
  const report = `${table({ title, columns }, rows)}\nkey figures: medians of the rounds\n${align(figures)}\n`;
  return { report, ratios, rows, failures: [] };
};

/** A figure in each round. */
function inRounds(samples: readonly Sample[], of: (at: Round) => number): number[] {
  const byRound = Map.groupBy(samples, ({ round }) => round);
  return [...byRound.values()].map((round) =>
    of((implementation, cell) => {
      const found = round.find((sample) => sample.implementation === implementation && sample.cell === cell);
      if (found === undefined) throw new Error(`${implementation}/${cell} was not measured`);
      return found.metrics;
    }),
  );
}
