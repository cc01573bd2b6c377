import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../harness/random.ts';
import { median } from '../../harness/statistics.ts';
import type { Cell } from '../cell.ts';
import { idle, serving } from '../serving.ts';

const REPLICAS = 2;
const SHEDDABLE = 40;
const CALL_MS = 50;
const URGENT_MS = 1;
/** How long the sheddable calls take that two replicas run. */
const BURST_MS = (SHEDDABLE * CALL_MS) / REPLICAS;
/** The urgent call of every other burst comes at once, the others' while the replicas are busy. */
const LATEST_MS = 300;

/** A call that is more important than the forty that wait: it has to wait for one that runs, and for no other. */
export const priority: Cell = {
  name: 'priority',
  units: { vsOneCall: '', atOnce: 'ms', later: 'ms', worst: 'ms', call: 'ms', failed: 'calls' },
  keys: [{ key: 'compute.priority_ms_vs_one_call', metric: 'vsOneCall', of: 'inserve', goal: '≤ 1.4' }],
  contenders: {
    inserve: async (stepsPerMs) => {
      const served = await serving(REPLICAS, CALL_MS * stepsPerMs);
      const sheddable = served.handle.options({ priority: 'sheddable' });
      const urgent = served.handle.options({ priority: 'critical-plus' });
      return {
        async measure({ ms, seed }) {
          const random = seededRandom(seed);
          const atOnce: number[] = [];
          const later: number[] = [];
          const computed: number[] = [];
          let failed = 0;
          const bursts = Math.max(2, Math.round(ms / BURST_MS));
          for (let index = 0; index < bursts; index++) {
            const others = Array.from({ length: SHEDDABLE }, () =>
              sheddable.run.remote(CALL_MS * stepsPerMs),
            );
            const settled = Promise.allSettled(others);
            const isLater = index % 2 === 1;
            if (isLater) await sleep(random() * LATEST_MS);
            const begin = performance.now();
            await urgent.run.remote(URGENT_MS * stepsPerMs);
            (isLater ? later : atOnce).push(performance.now() - begin);
            const calls = (await settled).flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
            failed += SHEDDABLE - calls.length;
            computed.push(...calls);
            await idle(served);
          }
          return {
            vsOneCall: Math.max(median(atOnce), median(later)) / median(computed),
            atOnce: median(atOnce),
            later: median(later),
            worst: Math.max(...atOnce, ...later),
            call: median(computed),
            failed,
          };
        },
        close: served.close,
      };
    },
  },
  ms: 8_000,
  rounds: 3,
  timeoutMs: (ms) => 5 * ms + 60_000,
};
