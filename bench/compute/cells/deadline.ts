import { mean } from '../../harness/statistics.ts';
import type { Cell } from '../cell.ts';
import { idle, serving, stepsOf } from '../serving.ts';

const REPLICAS = 2;
const CALLS = 30;
const CALL_MS = 40;
const DEADLINE_MS = 150;
/** How many calls two replicas can answer in that time: three each. */
const IDEAL = REPLICAS * Math.floor(DEADLINE_MS / CALL_MS);
/** Calls of each replica before a burst, which tell how fast it is. */
const CALIBRATING_CALLS = 3;
/** How long a burst takes if all of its calls run. */
const BURST_MS = (CALLS * CALL_MS) / REPLICAS;

/** Thirty calls at once with a deadline that six of them can meet. */
export const deadline: Cell = {
  name: 'deadline',
  units: { inTimeOfIdeal: '', inTime: 'calls', fewest: 'calls', call: 'ms' },
  keys: [
    {
      key: 'compute.in_time_of_ideal',
      metric: 'inTimeOfIdeal',
      of: 'inserve',
      goal: '≥ 0.8 (6 calls are 1)',
    },
  ],
  contenders: {
    inserve: async (stepsPerMs) => {
      const served = await serving(REPLICAS, CALL_MS * stepsPerMs);
      const hurried = served.handle.options({ timeoutMs: DEADLINE_MS });
      return {
        async measure({ ms }) {
          const counts: number[] = [];
          const computed: number[] = [];
          const bursts = Math.max(2, Math.round(ms / BURST_MS));
          for (let index = 0; index < bursts; index++) {
            const steps = await stepsOf(CALL_MS, served, CALL_MS * stepsPerMs, CALIBRATING_CALLS);
            let inTime = 0;
            const begin = performance.now();
            const one = async () => {
              const ownMs = await hurried.run.remote(steps);
              if (performance.now() - begin > DEADLINE_MS) return;
              inTime++;
              computed.push(ownMs);
            };
            await Promise.allSettled(Array.from({ length: CALLS }, one));
            await idle(served);
            counts.push(inTime);
          }
          const inTime = mean(counts);
          return {
            inTimeOfIdeal: inTime / IDEAL,
            inTime,
            fewest: Math.min(...counts),
            call: computed.length === 0 ? 0 : mean(computed),
          };
        },
        close: served.close,
      };
    },
  },
  // 20 bursts.
  ms: 12_000,
  rounds: 1,
  timeoutMs: (ms) => 5 * ms + 60_000,
};
