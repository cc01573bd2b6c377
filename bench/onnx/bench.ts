import { availableParallelism } from 'node:os';
import type { Bench } from '../harness/bench.ts';
import { Child } from '../harness/child.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { figuresOf, type KeySpec, type Metrics, rowsOf } from '../harness/samples.ts';
import { figureTable, type TableSpec, table } from '../harness/table.ts';
import type { MeasureClips } from './child.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const TIMEOUT_MS = 60_000;
const IN_FLIGHT = 4;
const CELL = `${IN_FLIGHT} clips at once`;

const UNITS = { throughput: 'clips/s', latency: 'ms', process: 'ms/clip' };

const TABLE: TableSpec = {
  title: `Silero VAD on clips of 10 s, 2 threads, ${CELL}`,
  columns: [
    { header: 'clips/s', cell: CELL, metric: 'throughput' },
    { header: 'mean latency in ms', cell: CELL, metric: 'latency' },
    { header: 'CPU per clip in ms', cell: CELL, metric: 'process' },
  ],
};

const KEYS: readonly KeySpec[] = [
  { key: 'onnx.vad_vs_piscina', metric: 'throughput', goal: '≥ 1.0' },
  { key: 'onnx.vad_cpu_vs_piscina', metric: 'process' },
].map((spec) => ({ ...spec, cell: CELL, of: 'inserve', against: 'piscina' }));

/** A neural network (onnxruntime-node, whose `run()` holds its thread) in replicas and in a pool of piscina. */
export const onnx: Bench = async ({ rounds = 5, ms = 4_000 }) => {
  const { samples, failures, notes } = await runRounds({
    contenders: ['inserve', 'piscina'].map((name) => contender(name, ms)),
    cells: [CELL],
    rounds,
    progress: (line) => console.error(line),
  });
  const rows = rowsOf(samples, UNITS);
  const figures = figuresOf(samples, KEYS);
  const header = `onnx: Node ${process.version}, ${availableParallelism()} cores, ${rounds} rounds of ${ms} ms.\n`;
  const report = [header, table(TABLE, rows), figureTable(figures), ...notes]
    .filter((part) => part !== '')
    .join('\n');
  return { report, ratios: figures.map(({ key, median }) => ({ key, value: median })), rows, failures };
};

function contender(name: string, ms: number): Contender {
  return {
    name,
    cells: [CELL],
    start: async () => {
      const child = await Child.start<MeasureClips, Metrics>(name, CHILD, [name], TIMEOUT_MS);
      return {
        measure: () => child.ask({ inFlight: IN_FLIGHT, ms }, ms + TIMEOUT_MS),
        stop: () => child.stop(),
      };
    },
  };
}
