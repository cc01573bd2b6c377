import { constant, type Durations, exponential, mixed, seeded } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { poisson, type Traffic } from '../engine/traffic.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { computing } from '../engine/work.ts';
import { multiServerQueue } from '../references/multi-server-queue.ts';
import type { Scenario, ScenarioOptions } from '../scenario.ts';

const NEAR_SATURATION = 0.95;
const FULL_MS = 600_000;
const WARM_UP_MS = 5_000;

interface Case {
  readonly name: string;
  readonly replicas: number;
  readonly durations: Durations;
  readonly loads: readonly number[];
}

/** Methods that compute. A handover of 0.27 ms is in each wait, and no queueing theory knows of it. */
const CASES: readonly Case[] = [
  { name: 'M/M/4, 50 ms', replicas: 4, durations: exponential(50), loads: [NEAR_SATURATION] },
  { name: 'M/D/4, 50 ms', replicas: 4, durations: constant(50), loads: [NEAR_SATURATION] },
  { name: 'M/G/4, 10 and 400 ms', replicas: 4, durations: withLongOnes(10, 400), loads: [NEAR_SATURATION] },
  { name: 'M/G/2, 1 and 400 ms', replicas: 2, durations: withLongOnes(1, 400), loads: [NEAR_SATURATION] },
];

/** Short calls among long ones, on two replicas: what waits at a replica waits for a long one. */
const MIXED: readonly Case[] = [
  { name: 'M/G/2, 1 and 200 ms', replicas: 2, durations: withLongOnes(1, 200), loads: [0.5, 0.8] },
  { name: 'M/G/2, 0.1 and 208 ms', replicas: 2, durations: withLongOnes(0.1, 208), loads: [0.5, 0.8] },
];

/** One call in ten is a long one. */
function withLongOnes(shortMs: number, longMs: number): Durations {
  return mixed(constant(shortMs), constant(longMs), 0.1);
}

/** The mean wait against one perfect queue with the same arrivals and durations. */
export const wait: Scenario = {
  name: 'wait',
  async run(options) {
    const details: string[] = [];
    const ratiosOf = async (cases: readonly Case[]): Promise<number[]> => {
      const ratios: number[] = [];
      for (const one of cases) {
        for (const load of one.loads) {
          const { measured, ideal } = await measure(one, load, options);
          ratios.push(measured / ideal);
          const each = `${measured.toFixed(1)} ms, ideal ${ideal.toFixed(1)} ms: ${(measured / ideal).toFixed(2)}`;
          details.push(`${one.name}, load ${load}: ${each}`);
        }
      }
      return ratios;
    };
    return {
      measured: [
        { key: 'wait_vs_mgn', value: Math.max(...(await ratiosOf(CASES))), most: 1.25 },
        { key: 'mixed_wait_vs_mg2', value: Math.max(...(await ratiosOf(MIXED))), most: 1.2 },
      ],
      details,
    };
  },
};

async function measure({ replicas, durations }: Case, load: number, { seed, scale }: ScenarioOptions) {
  const endMs = WARM_UP_MS + FULL_MS * scale;
  const traffic = poisson(seeded(seed), (load * replicas) / durations.meanMs, endMs, durations);
  const { meanWaitMs: ideal } = multiServerQueue(traffic, { servers: replicas, fromMs: WARM_UP_MS });
  return { measured: await meanWait(seed, replicas, traffic), ideal };
}

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
