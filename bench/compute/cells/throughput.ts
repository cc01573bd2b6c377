import { PAIRS } from '../../harness/builds.ts';
import type { Cell, Session } from '../cell.ts';
import { HandMadeThread } from '../hand.ts';
import { serving } from '../serving.ts';

const CALLERS = 16;

type Run = (steps: number) => Promise<number>;

/** Calls per second of one replica that always has enough to do. */
function throughput(callMs: number): Cell {
  const session = (run: Run, steps: number, close: () => Promise<void>): Session => ({
    async measure({ ms }) {
      // Whole rounds of calls: where answers are held and come sixteen at a time, a window of time would cut them in two.
      const calls = Math.max(2, Math.round(ms / (callMs * CALLERS)));
      await together(run, steps, Math.ceil(calls / 4));
      return { throughput: (CALLERS * calls * 1e3) / (await together(run, steps, calls)) };
    },
    close,
  });
  return {
    name: `throughput@${callMs}ms`,
    units: { throughput: 'calls/s' },
    keys: [
      {
        key: `compute.throughput_${callMs}ms_vs_thread`,
        metric: 'throughput',
        of: 'inserve',
        against: 'thread',
      },
    ],
    versusBefore: {
      key: `compute.throughput_${callMs}ms_vs_before`,
      metric: 'throughput',
      limit: { atLeast: 0.95 },
    },
    contenders: {
      inserve: async (stepsPerMs) => {
        const { handle, close } = await serving(1, callMs * stepsPerMs);
        return session((steps) => handle.run.remote(steps), callMs * stepsPerMs, close);
      },
      thread: async (stepsPerMs) => {
        const thread = await HandMadeThread.start(stepsPerMs);
        return session(
          (steps) => thread.run(steps),
          callMs * stepsPerMs,
          () => thread.close(),
        );
      },
    },
    ms: 500,
    rounds: PAIRS,
    timeoutMs: (ms) => 10 * ms + 15_000,
  };
}

export const throughputs: readonly Cell[] = [1, 2, 5].map(throughput);

/** Each caller makes so many calls, one after the other; resolves to how long all of them took, in ms. */
async function together(run: Run, steps: number, calls: number): Promise<number> {
  const begin = performance.now();
  const caller = async () => {
    for (let call = 0; call < calls; call++) await run(steps);
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return performance.now() - begin;
}
