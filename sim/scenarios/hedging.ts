import { quantile } from '../engine/quantile.ts';
import { constant, type Durations, mixed, seeded, uniform } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { poisson } from '../engine/traffic.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { waiting } from '../engine/work.ts';
import { bestHedgedP99 } from '../references/best-hedge.ts';
import { casesOf, type Scenario } from '../scenario.ts';

const REPLICAS = 4;
const PER_SECOND = 200;
const MAX_EXTRA_RATIO = 0.05;
const FULL_MS = 120_000;
const WARM_UP_MS = 10_000;

/** Calls that take about `ms`, and one in fifty that takes ten times as long. */
function withSlowOnes(ms: number): Durations {
  return mixed(uniform(0.99 * ms, 1.01 * ms), constant(10 * ms), 0.02);
}

const CASES: ReadonlyArray<readonly [string, Durations]> = [
  ['10 ms', withSlowOnes(10)],
  ['20 ms', withSlowOnes(20)],
  ['40 ms', withSlowOnes(40)],
  ['70 ms', withSlowOnes(70)],
  ['100 ms', withSlowOnes(100)],
  ['10 to 100 ms', mixed(uniform(10, 100), constant(400), 0.02)],
];

/** `hedge: { afterMs: 'p95' }` where 2 % of the calls are slow: the 99th percentile against the best fixed delay. */
export const hedging: Scenario = {
  name: 'hedging',
  async run(options) {
    const { seed, scale } = options;
    const ratios: number[] = [];
    const extras: number[] = [];
    const details: string[] = [];
    for (const [name, durations] of casesOf(CASES, options)) {
      const { p99, extra } = await measure(seed, durations, WARM_UP_MS + FULL_MS * scale);
      const ideal = bestHedgedP99(seed, durations, MAX_EXTRA_RATIO);
      ratios.push(p99 / ideal);
      extras.push(extra);
      details.push(
        `${name}: p99 ${p99.toFixed(1)} ms, ideal ${ideal.toFixed(1)} ms, ${(100 * extra).toFixed(2)} % sent twice`,
      );
    }
    return {
      measured: [
        { key: 'hedged_p99_vs_ideal', value: Math.max(...ratios), most: 1.15 },
        { key: 'hedge_extra', value: Math.max(...extras), most: MAX_EXTRA_RATIO },
      ],
      details,
    };
  },
};

function measure(seed: number, durations: Durations, endMs: number) {
  return inVirtualTime(seed, async (time) => {
    const config = { idempotent: true, hedge: { afterMs: 'p95', maxExtraRatio: MAX_EXTRA_RATIO } } as const;
    const deployment = await SimulatedDeployment.start(time, { replicas: REPLICAS, config });
    const random = seeded(seed);
    const traffic = poisson(random, PER_SECOND / 1_000, endMs, durations);
    const latencies: number[] = [];
    let hedged = 0;
    arrive(time, traffic.times, (index) => {
      const work = {
        ...waiting(traffic.durations[index] as number),
        again: waiting(durations.draw(random)),
      };
      deployment.call(work, {
        onEnded: ({ createdAt, hedge }) => {
          if (createdAt < WARM_UP_MS) return;
          latencies.push(time.now() - createdAt);
          if (hedge?.isSent === true) hedged++;
        },
      });
    });
    await time.advanceTo(endMs);
    await deployment.finish(Infinity);
    return { p99: quantile(latencies, 0.99), extra: hedged / latencies.length };
  });
}
