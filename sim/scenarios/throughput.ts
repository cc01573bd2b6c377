import { SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { computing } from '../engine/work.ts';
import type { Scenario } from '../scenario.ts';

const REPLICAS = 2;
/** Callers that call again at once: more than all replicas can take. */
const CALLERS = 64;
/** For how long each call computes. */
const DURATIONS_MS = [0.3, 0.6, 1, 1.5, 2, 3, 5, 10, 50];
/**
 * Answers of such quick calls leave together. With 16 places per replica they are all on their way when the last one ends,
 * and the replica waits for 0.27 ms: only more places help.
 */
const QUICK_MS = [0.05, 0.1];
const FULL_MS = 5_000;
const WARM_UP_MS = 200;

/** How much of their time replicas compute while calls always wait with their callers. */
export const throughput: Scenario = {
  name: 'throughput',
  async run({ seed, scale }) {
    const row: string[] = [];
    const worstOf = async (durations: readonly number[]): Promise<number> => {
      let worst = 1;
      for (const ms of durations) {
        const share = await shareOfTime(seed, ms, WARM_UP_MS + Math.max(FULL_MS * scale, 20 * ms));
        row.push(`${ms} ms: ${share.toFixed(3)}`);
        worst = Math.min(worst, share);
      }
      return worst;
    };
    return {
      measured: [
        { key: 'busy_share', value: await worstOf(DURATIONS_MS), least: 0.93 },
        { key: 'quick_busy_share', value: await worstOf(QUICK_MS), least: 0.93 },
      ],
      details: [row.join(', ')],
    };
  },
};

function shareOfTime(seed: number, ms: number, endMs: number): Promise<number> {
  return inVirtualTime(seed, async (time) => {
    const deployment = await SimulatedDeployment.start(time, { replicas: REPLICAS });
    let ended = 0;
    const call = (): void =>
      deployment.call(computing(ms), {
        onEnded: () => {
          if (time.now() >= endMs) return;
          if (time.now() >= WARM_UP_MS) ended++;
          call();
        },
      });
    for (let caller = 0; caller < CALLERS; caller++) call();
    await time.advanceTo(endMs);
    await deployment.finish(Infinity);
    return (ended * ms) / (REPLICAS * (endMs - WARM_UP_MS));
  });
}
