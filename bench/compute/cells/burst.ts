import { mean } from '../../harness/statistics.ts';
import type { Cell, MeasureRequest, Session } from '../cell.ts';
import { HandMadeThread } from '../hand.ts';
import { serving } from '../serving.ts';

const CALLERS = 16;
const CALL_MS = 20;

/** Sixteen calls at once for one thread, which answers the first after 20 ms and the last after 320. */
export const burst: Cell = {
  name: 'burst',
  units: { mean: 'ms', call: 'ms', inCalls: 'calls' },
  keys: [
    {
      key: 'compute.mean_latency_vs_thread',
      metric: 'mean',
      of: 'inserve',
      against: 'thread',
      goal: '≤ 1.1',
    },
  ],
  contenders: {
    inserve: async (stepsPerMs) => {
      const { handle, close } = await serving(1, CALL_MS * stepsPerMs);
      return session((steps) => handle.run.remote(steps), stepsPerMs, close);
    },
    thread: async (stepsPerMs) => {
      const thread = await HandMadeThread.start(stepsPerMs);
      return session(
        (steps) => thread.run(steps),
        stepsPerMs,
        () => thread.close(),
      );
    },
  },
  ms: 2_000,
  rounds: 7,
  timeoutMs: (ms) => 10 * ms + 20_000,
};

function session(
  run: (steps: number) => Promise<number>,
  stepsPerMs: number,
  close: () => Promise<void>,
): Session {
  const measure = async ({ ms }: MeasureRequest) => {
    const latencies: number[] = [];
    const computed: number[] = [];
    const one = async (begin: number) => {
      computed.push(await run(CALL_MS * stepsPerMs));
      latencies.push(performance.now() - begin);
    };
    const bursts = Math.max(2, Math.round(ms / (CALLERS * CALL_MS)));
    for (let index = 0; index < bursts; index++) {
      const begin = performance.now();
      await Promise.all(Array.from({ length: CALLERS }, () => one(begin)));
    }
    // How many calls' own time it is, which a busy machine changes less: 8.5 in turn, 16 if all answers come at the end.
    return {
      mean: mean(latencies),
      call: mean(computed),
      inCalls: mean(latencies) / mean(computed),
    };
  };
  return { measure, close };
}
