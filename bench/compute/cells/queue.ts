import { setTimeout as sleep } from 'node:timers/promises';
import { exponential, seededRandom } from '../../harness/random.ts';
import { mean, percentile } from '../../harness/statistics.ts';
import type { Cell, Session } from '../cell.ts';
import { serving } from '../serving.ts';

const SERVERS = 2;
const SHORT_MS = 1;
const LONG_MS = 200;
const LONG_SHARE = 0.1;
const MEAN_MS = (1 - LONG_SHARE) * SHORT_MS + LONG_SHARE * LONG_MS;
/** How often it is looked whether a call is due. */
const TICK_MS = 1;
/** The rest of a long queue. */
const DRAIN_MS = 60_000;

/** The worst of the keys that begin with it and end with a load in percent. */
export const QUEUE_KEY = 'compute.mg2_wait_vs_piscina';

export interface Arrival {
  readonly atMs: number;
  readonly serviceMs: number;
}

/** M/G/2: calls come at random and do not wait for each other; one in ten takes 200 times as long as the others. */
function queue(load: number): Cell {
  const percent = Math.round(load * 100);
  return {
    name: `queue@${percent}%`,
    units: { wait: 'ms', p99: 'ms', utilization: '', calls: 'calls', failed: 'calls' },
    keys: [
      { key: `${QUEUE_KEY}_${percent}`, metric: 'wait', of: 'inserve', against: 'piscina', goal: '≤ 1.0' },
    ],
    contenders: {
      inserve: async (stepsPerMs) => {
        const { handle, close } = await serving(SERVERS, SHORT_MS * stepsPerMs);
        return session((steps) => handle.run.remote(steps), load, stepsPerMs, close);
      },
      piscina: async (stepsPerMs) => {
        const { piscinaOf } = await import('../piscina.ts');
        const pool = await piscinaOf(SERVERS, stepsPerMs);
        return session(pool.run, load, stepsPerMs, pool.close);
      },
    },
    ms: 60_000,
    rounds: 1,
    timeoutMs: (ms) => ms + DRAIN_MS,
  };
}

export const queues: readonly Cell[] = [0.5, 0.8].map(queue);

/** The arrivals of so many ms, and how long each call computes. */
export function arrivalsOf(seed: number, load: number, ms: number): Arrival[] {
  const random = seededRandom(seed);
  const gapMs = MEAN_MS / (SERVERS * load);
  const arrivals: Arrival[] = [];
  for (let atMs = exponential(random, gapMs); atMs < ms; atMs += exponential(random, gapMs)) {
    arrivals.push({ atMs, serviceMs: random() < LONG_SHARE ? LONG_MS : SHORT_MS });
  }
  return arrivals;
}

function session(
  run: (steps: number) => Promise<number>,
  load: number,
  stepsPerMs: number,
  close: () => Promise<void>,
): Session {
  return {
    async measure({ ms, seed }) {
      const waits: number[] = [];
      let computedMs = 0;
      let failed = 0;
      const begin = performance.now();
      const one = async ({ atMs, serviceMs }: Arrival) => {
        let ownMs = 0;
        try {
          ownMs = await run(serviceMs * stepsPerMs);
        } catch {
          // It waited in vain.
          failed++;
        }
        // All that is not the call's own computing: the queue, and the way there and back.
        waits.push(performance.now() - begin - atMs - ownMs);
        computedMs += ownMs;
      };
      const open: Promise<void>[] = [];
      for (const arrival of arrivalsOf(seed, load, ms)) {
        while (performance.now() - begin < arrival.atMs) await sleep(TICK_MS);
        open.push(one(arrival));
      }
      await Promise.all(open);
      const elapsedMs = performance.now() - begin;
      return {
        wait: mean(waits),
        p99: percentile(Float64Array.from(waits).sort(), 0.99),
        utilization: computedMs / (SERVERS * elapsedMs),
        calls: open.length,
        failed,
      };
    },
    close,
  };
}
