import { parseArgs } from 'node:util';
import type { Bench, BenchOptions } from './harness/bench.ts';

/** Each bench is loaded only when it is asked for, so that a bench may need what another does not. */
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  batching: async () => (await import('./batching/bench.ts')).batching,
  control: async () => (await import('./control/bench.ts')).control,
  graph: async () => (await import('./graph/bench.ts')).graph,
  threads: async () => (await import('./threads/bench.ts')).threads,
  http: async () => (await import('./http/bench.ts')).http,
};

const USAGE = `usage: node bench/main.ts <name> [--rounds N] [--ms N] [--only substring] [--autocannon]
benches: ${Object.keys(BENCHES).join(', ')}`;

await main();

async function main(): Promise<void> {
  const command = readCommand();
  if (typeof command === 'string') {
    console.error(`${command}\n${USAGE}`);
    process.exitCode = 2;
    return;
  }
  const bench = await command.load();
  const { report, ratios, rows, failures } = await bench(command.options);
  console.log(report);
  for (const { implementation, round, during, message } of failures) {
    console.error(`FAILED: ${implementation}, round ${round + 1}, ${during}: ${message}\n`);
  }
  if (rows.length === 0) console.error('nothing was measured');
  process.exitCode = failures.length > 0 || rows.length === 0 ? 1 : 0;
  // The last line of stdout, for machines.
  console.log(
    JSON.stringify({
      bench: command.name,
      ratios: Object.fromEntries(ratios.map(({ key, value }) => [key, rounded(value)])),
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
      },
    });
    const [name = ''] = positionals;
    const load = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
    if (load === undefined || positionals.length > 1) return `no bench named '${positionals.join(' ')}'`;
    const options: BenchOptions = {
      ...(values.rounds !== undefined && { rounds: positiveInteger('--rounds', values.rounds) }),
      ...(values.ms !== undefined && { ms: positiveInteger('--ms', values.ms) }),
      ...(values.only !== undefined && { only: values.only }),
      ...(values.autocannon === true && { autocannon: true }),
    };
    return { name, load, options };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
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
