import { parseArgs } from 'node:util';
import type { Bench, BenchOptions } from './harness/bench.ts';
import { otherBuild } from './harness/builds.ts';
import type { Comparison } from './harness/comparison.ts';

interface Entry {
  /** Loaded only when it is asked for, so that a bench may need what another does not. */
  readonly load: () => Promise<Bench>;
  /** Can run another build in its rounds. */
  readonly compares?: boolean;
}

const BENCHES: Readonly<Record<string, Entry>> = {
  batching: { load: async () => (await import('./batching/bench.ts')).batching, compares: true },
  compute: { load: async () => (await import('./compute/bench.ts')).compute, compares: true },
  control: { load: async () => (await import('./control/bench.ts')).control },
  fleet: { load: async () => (await import('./fleet/bench.ts')).fleet },
  'fleet-redis': { load: async () => (await import('./fleet-redis/bench.ts')).fleetRedis },
  graph: { load: async () => (await import('./graph/bench.ts')).graph },
  process: { load: async () => (await import('./process/bench.ts')).childProcess },
  threads: { load: async () => (await import('./threads/bench.ts')).threads, compares: true },
  python: { load: async () => (await import('./python/bench.ts')).pythonCalls },
  'python-http': { load: async () => (await import('./python-http/bench.ts')).pythonHttp },
  onnx: { load: async () => (await import('./onnx/bench.ts')).onnx },
  start: { load: async () => (await import('./start/bench.ts')).start },
  http: { load: async () => (await import('./http/bench.ts')).http, compares: true },
};

const COMPARING = Object.keys(BENCHES).filter((name) => BENCHES[name]?.compares === true);

const USAGE = `usage: node bench/main.ts <name> [--rounds N] [--ms N] [--only substring] [--autocannon] [--against DIR]
benches: ${Object.keys(BENCHES).join(', ')}; with --against, the directory of another built checkout: ${COMPARING.join(', ')}`;

await main();

async function main(): Promise<void> {
  const command = readCommand();
  if (typeof command === 'string') {
    console.error(`${command}\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const bench = await command.load();
  const { report, ratios, comparisons = [], rows, failures } = await bench(command.options);
  console.log(report);
  for (const { implementation, round, during, message } of failures) {
    const where = round === undefined ? during : `round ${round + 1}, ${during}`;
    console.error(`FAILED: ${implementation}, ${where}: ${message}\n`);
  }
  if (rows.length === 0) console.error('nothing was measured');
  process.exitCode = failures.length > 0 || rows.length === 0 ? 1 : 0;
  // The last line of stdout, for machines.
  console.log(
    JSON.stringify({
      bench: command.name,
      ratios: Object.fromEntries(ratios.map(({ key, value }) => [key, rounded(value)])),
      ...(comparisons.length > 0 && { intervals: intervalsOf(comparisons) }),
      rows: rows.map((row) => ({
        ...row,
        median: rounded(row.median),
        min: rounded(row.min),
        max: rounded(row.max),
      })),
      failures,
    }),
  );
}

function readCommand() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        ms: { type: 'string' },
        only: { type: 'string' },
        autocannon: { type: 'boolean' },
        against: { type: 'string' },
      },
    });
    const [name = ''] = positionals;
    const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
    if (bench === undefined || positionals.length > 1) return `no bench named '${positionals.join(' ')}'`;
    if (values.against !== undefined && bench.compares !== true) {
      return `--against is for ${COMPARING.join(', ')}, not for ${name}`;
    }
    const options: BenchOptions = {
      ...(values.rounds !== undefined && { rounds: positiveInteger('--rounds', values.rounds) }),
      ...(values.ms !== undefined && { ms: positiveInteger('--ms', values.ms) }),
      ...(values.only !== undefined && { only: values.only }),
      ...(values.autocannon === true && { autocannon: true }),
      ...(values.against !== undefined && { against: otherBuild(values.against) }),
    };
    return { name, load: bench.load, options };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function intervalsOf(comparisons: readonly Comparison[]) {
  return Object.fromEntries(
    comparisons.map(({ key, pairs, interval, limit }) => [
      key,
      {
        ...(interval !== undefined && {
          low: rounded(interval.low),
          high: rounded(interval.high),
          confidence: rounded(interval.confidence),
        }),
        pairs,
        ...limit,
      },
    ]),
  );
}

function positiveInteger(option: string, text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new RangeError(`${option} must be an integer ≥ 1, not '${text}'`);
  }
  return value;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
