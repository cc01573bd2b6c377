import { constant, type Durations, exponential, mixed, seeded } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { poisson, type Traffic } from '../engine/traffic.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { computing } from '../engine/work.ts';
import { multiServerQueue } from '../references/multi-server-queue.ts';
import type { Scenario } from '../scenario.ts';

const LOAD = 0.95;
const FULL_MS = 600_000;
const WARM_UP_MS = 5_000;

interface Case {
  readonly name: string;
  readonly replicas: number;
  readonly durations: Durations;
}

/** Methods that compute. A handover of 0.27 ms is in each wait, and no queueing theory knows of it. */
const CASES: readonly Case[] = [
  { name: 'M/M/4, 50 ms', replicas: 4, durations: exponential(50) },
  { name: 'M/D/4, 50 ms', replicas: 4, durations: constant(50) },
  { name: 'M/G/4, 90 % 10 ms, 10 % 400 ms', replicas: 4, durations: mixed(constant(10), constant(400), 0.1) },
  { name: 'M/G/2, 90 % 1 ms, 10 % 400 ms', replicas: 2, durations: mixed(constant(1), constant(400), 0.1) },
];

/** The mean wait near saturation, against one perfect queue with the same arrivals and durations. */
export const wait: Scenario = {
  name: 'wait',
  async run({ seed, scale }) {
    const endMs = WARM_UP_MS + FULL_MS * scale;
    const ratios: number[] = [];
    const details: string[] = [];
    for (const { name, replicas, durations } of CASES) {
      const traffic = poisson(seeded(seed), (LOAD * replicas) / durations.meanMs, endMs, durations);
      const ideal = multiServerQueue(traffic, { servers: replicas, fromMs: WARM_UP_MS }).meanWaitMs;
      const measured = await meanWait(seed, replicas, traffic);
      ratios.push(measured / ideal);
      details.push(
        `${name}: ${measured.toFixed(1)} ms, ideal ${ideal.toFixed(1)} ms: ${(measured / ideal).toFixed(2)}`,
      );
    }
    return { measured: [{ key: 'wait_vs_mgn', value: Math.max(...ratios), most: 1.25 }], details };
  },
};

/** From the call to its answer, less the time that it ran. */
function meanWait(seed: number, replicas: number, { times, durations }: Traffic): Promise<number> {
  return inVirtualTime(seed, async (time) => {
    const deployment = await SimulatedDeployment.start(time, { replicas, maxQueued: -1 });
    let waited = 0;
    let calls = 0;
    arrive(time, times, (index) => {
      const ms = durations[index] as number;
      const isCounted = (times[index] as number) >= WARM_UP_MS;
      deployment.call(computing(ms), {
        onEnded: ({ createdAt }) => {
          if (!isCounted) return;
          waited += time.now() - createdAt - ms;
          calls++;
        },
      });
    });
    await time.advanceTo(times.at(-1) ?? 0);
    await deployment.finish(Infinity);
    return waited / calls;
  });
}
