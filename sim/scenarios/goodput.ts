import { constant, type Durations, exponential, seeded } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { poisson, type Traffic } from '../engine/traffic.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { computing } from '../engine/work.ts';
import { bestThreshold } from '../references/multi-server-queue.ts';
import { casesOf, type Scenario } from '../scenario.ts';

const REPLICAS = 4;
const DEADLINE_MS = 200;
const LOADS = [1.2, 2, 5, 10, 20];
/** Methods that compute: one call at a time per replica. */
const METHODS: ReadonlyArray<readonly [string, Durations]> = [
  ['exponential 20 ms', exponential(20)],
  ['exponential 40 ms', exponential(40)],
  ['20 ms', constant(20)],
  ['40 ms', constant(40)],
  ['70 ms', constant(70)],
  ['100 ms', constant(100)],
];
const FULL_MS = 30_000;
const LEAST_MS = 5_000;
/** Until then the durations are learned. */
const WARM_UP_MS = 2_000;

/** Calls in time under overload, against the best fixed threshold of a perfect queue without overhead. */
export const goodput: Scenario = {
  name: 'goodput',
  async run(options) {
    const { seed, scale } = options;
    const endMs = WARM_UP_MS + Math.max(LEAST_MS, FULL_MS * scale);
    const ratios: number[] = [];
    const details: string[] = [];
    for (const [name, durations] of casesOf(METHODS, options)) {
      const row: string[] = [];
      for (const load of casesOf(LOADS, options)) {
        const traffic = poisson(seeded(seed), (load * REPLICAS) / durations.meanMs, endMs, durations);
        const queue = { servers: REPLICAS, deadlineMs: DEADLINE_MS, fromMs: WARM_UP_MS };
        const ratio = (await served(seed, traffic)) / bestThreshold(traffic, queue);
        ratios.push(ratio);
        row.push(`${load} ×: ${ratio.toFixed(2)}`);
      }
      details.push(`${name}: ${row.join(', ')}`);
    }
    return { measured: [{ key: 'goodput_min', value: Math.min(...ratios), least: 0.9 }], details };
  },
};

function served(seed: number, { times, durations }: Traffic): Promise<number> {
  return inVirtualTime(seed, async (time) => {
    const deployment = await SimulatedDeployment.start(time, { replicas: REPLICAS });
    let inTime = 0;
    arrive(time, times, (index) => {
      const isCounted = (times[index] as number) >= WARM_UP_MS;
      deployment.call(computing(durations[index] as number), {
        deadlineMs: DEADLINE_MS,
        onEnded: ({ outcome }) => {
          if (isCounted && outcome === 'ok') inTime++;
        },
      });
    });
    await time.advanceTo(times.at(-1) ?? 0);
    await deployment.finish(Infinity);
    return inTime;
  });
}
