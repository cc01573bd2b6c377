import { mean, quantile } from '../engine/quantile.ts';
import { constant, seeded } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { poisson } from '../engine/traffic.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { computing, type Work, waiting } from '../engine/work.ts';
import { casesOf, type Scenario } from '../scenario.ts';

const MAX_BATCH_SIZE = 64;
const LIMIT = 512;
const FULL_MS = 8_000;
const WARM_UP_MS = 1_000;
/** Fixed windows that are tried, in ms. */
const WINDOWS = [0, 1, 2, 3, 5, 7, 10, 15, 20];
/** Open loop: calls per second, as shares of the most that full batches do. */
const LOADS = [0.05, 0.2, 0.5, 0.8, 0.9];
/** Closed loop: callers that call again after up to so long. They begin out of step, within so long. */
const CALLERS = [1, 4, 16, 64, 128];
const THINK_MS = 0.5;
const BEGIN_MS = 30;

/** What a batch costs, in ms. */
const COSTS: ReadonlyArray<readonly [string, (items: number) => Work]> = [
  ['10 + n ms, waiting', (items) => waiting(10 + items)],
  ['10 + n ms, computing', (items) => computing(10 + items)],
  ['2 + n / 2 ms, waiting', (items) => waiting(2 + items / 2)],
  ['20 + 5 n ms, waiting', (items) => waiting(20 + 5 * items)],
  ['2 + n / 5 ms, computing', (items) => computing(2 + items / 5)],
];

interface Latency {
  readonly mean: number;
  readonly p99: number;
}

type Offer = (deployment: SimulatedDeployment, onAnswer: (ms: number) => void, endMs: number) => void;

/** `mode: 'adaptive'` against the best fixed window of each load, the best for the mean and the best for the 99th percentile. */
export const adaptive: Scenario = {
  name: 'adaptive',
  async run(options) {
    const { seed, scale } = options;
    const endMs = WARM_UP_MS + FULL_MS * scale;
    const means: number[] = [];
    const tails: number[] = [];
    const details: string[] = [];
    for (const [name, workOf] of casesOf(COSTS, options)) {
      const { holdMs, waitMs } = workOf(MAX_BATCH_SIZE);
      const most = MAX_BATCH_SIZE / (holdMs + waitMs);
      const cells: Array<readonly [string, Offer]> = [
        ...casesOf(LOADS, options).map((load) => [`load ${load}`, open(seed, load * most)] as const),
        ...casesOf(CALLERS, options).map((callers) => [`${callers} callers`, closed(seed, callers)] as const),
      ];
      const row: string[] = [];
      for (const [cell, offer] of cells) {
        const fixed: Latency[] = [];
        for (const windowMs of casesOf(WINDOWS, options))
          fixed.push(await run(seed, workOf, 'fixed', windowMs, offer, endMs));
        const own = await run(seed, workOf, 'adaptive', 10, offer, endMs);
        const meanRatio = own.mean / Math.min(...fixed.map((one) => one.mean));
        const tailRatio = own.p99 / Math.min(...fixed.map(({ p99 }) => p99));
        means.push(meanRatio);
        tails.push(tailRatio);
        row.push(`${cell}: ${meanRatio.toFixed(2)}, ${tailRatio.toFixed(2)}`);
      }
      details.push(`${name} (mean, p99): ${row.join('; ')}`);
    }
    return {
      measured: [
        { key: 'adaptive_mean_vs_best', value: Math.max(...means), most: 1.1 },
        { key: 'adaptive_p99_vs_best', value: Math.max(...tails), most: 1.2 },
      ],
      details,
    };
  },
};

/** Callers that do not wait for each other. */
function open(seed: number, perMs: number): Offer {
  return (deployment, onAnswer, endMs) => {
    const { time } = deployment;
    const { times } = poisson(seeded(seed), perMs, endMs, constant(0));
    arrive(time, times, () => deployment.call(computing(0), { onEnded: answered(deployment, onAnswer) }));
  };
}

/** Callers that call again soon after their answer. */
function closed(seed: number, callers: number): Offer {
  return (deployment, onAnswer, endMs) => {
    const { time } = deployment;
    const random = seeded(seed);
    const call = (): void => {
      const told = answered(deployment, onAnswer);
      deployment.call(computing(0), {
        onEnded: (ended) => {
          told(ended);
          if (time.now() < endMs) time.at(time.now() + THINK_MS * random(), call);
        },
      });
    };
    for (let caller = 0; caller < callers; caller++) time.at(BEGIN_MS * random(), call);
  };
}

function answered({ time }: SimulatedDeployment, onAnswer: (ms: number) => void) {
  return ({ createdAt }: { readonly createdAt: number }): void => {
    if (createdAt >= WARM_UP_MS) onAnswer(time.now() - createdAt);
  };
}

function run(
  seed: number,
  workOf: (items: number) => Work,
  mode: 'fixed' | 'adaptive',
  batchWaitTimeoutMs: number,
  offer: Offer,
  endMs: number,
): Promise<Latency> {
  return inVirtualTime(seed, async (time) => {
    const options = { mode, batchWaitTimeoutMs, maxBatchSize: MAX_BATCH_SIZE };
    const deployment = await SimulatedDeployment.start(time, {
      replicas: 1,
      limit: LIMIT,
      nature: () => ({ batch: { options, workOf } }),
    });
    const latencies: number[] = [];
    offer(deployment, (ms) => latencies.push(ms), endMs);
    await time.advanceTo(endMs);
    await deployment.finish(Infinity);
    return { mean: mean(latencies), p99: quantile(latencies, 0.99) };
  });
}
