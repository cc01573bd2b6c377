import { Redis } from '../../examples/fleet/processes.ts';
import type { Bench, KeyedValue } from '../harness/bench.ts';
import { Child } from '../harness/child.ts';
import { type Contender, runRounds } from '../harness/rounds.ts';
import { type Metrics, rowsOf, type Sample } from '../harness/samples.ts';
import { listing } from '../harness/table.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const SIZES = [3, 20];
const START_TIMEOUT_MS = 20_000;
const TIMEOUT_MS = 400_000;
/** A multiple of the beat, and time for an order. */
const WINDOW_MS = 20_000;
const GOAL = 1.5;
const KEY = 'fleet.redis_ops_per_s_per_instance';
const UNITS = { ops: 'ops/s', busiest: 'ops/s', requests: 'requests/s' };

/**
 * What a fleet asks of Redis while its instances serve requests and a person gives one order, counted by MONITOR: a fleet of
 * each size in one process, on a Redis of its own.
 */
export const fleetRedis: Bench = async ({ rounds = 1, ms = WINDOW_MS, only = '' }) => {
  const sizes = SIZES.filter((size) => `instances@${size}`.includes(only));
  const samples: Sample[] = [];
  const failures = [];
  const notes: string[] = [];
  for (const size of sizes) {
    const result = await runRounds({
      contenders: [contender(size, ms)],
      cells: [cellOf(size)],
      rounds,
      progress: (line) => console.error(line),
    });
    samples.push(...result.samples);
    failures.push(...result.failures);
    notes.push(...result.notes);
  }
  const rows = rowsOf(samples, UNITS);
  const bySize = sizes.flatMap((size) => keyOf(size, samples));
  const worst = bySize.map(({ value }) => value);
  const ratios = [...(worst.length > 0 ? [{ key: KEY, value: Math.max(...worst) }] : []), ...bySize];
  const report = [
    `fleet-redis: Node ${process.version}. Operations of Redis per second and instance; scripts count once.\n`,
    listing('measured', rows),
    ...ratios.map(({ key, value }) => `  ${key}  ${Number(value.toPrecision(4))}  (goal: ≤ ${GOAL})`),
    ...notes,
  ].join('\n');
  return { report, ratios, rows, failures };
};

function cellOf(size: number): string {
  return `instances@${size}`;
}

/** The worst round counts. */
function keyOf(size: number, samples: readonly Sample[]): KeyedValue[] {
  const found = samples
    .filter(({ cell }) => cell === cellOf(size))
    .map(({ metrics }) => metrics['ops'] ?? NaN);
  if (found.length === 0) return [];
  return [{ key: `${KEY}_at_${size}`, value: Math.max(...found) }];
}

function contender(size: number, ms: number): Contender {
  return {
    name: 'inserve',
    cells: [cellOf(size)],
    start: async () => {
      const redis = await Redis.start();
      try {
        const args = [redis.url, `${size}`, `${ms}`];
        const child = await Child.start<'measure', Metrics>(cellOf(size), CHILD, args, START_TIMEOUT_MS);
        return {
          measure: () => child.ask('measure', TIMEOUT_MS),
          stop: async () => {
            const remark = await child.stop();
            redis.stop();
            return remark;
          },
        };
      } catch (error) {
        redis.stop();
        throw error;
      }
    },
  };
}
