import { replicasForLoad } from '../../src/controller/autoscale.ts';
import { LoadScaler } from '../../src/controller/load-scaler.ts';
import type { AutoscalingConfig } from '../../src/deployment/options/autoscaling-config.ts';
import { autoscalingOf } from '../../src/deployment/options/autoscaling-options.ts';
import { EndedCalls } from '../../src/instance/scaling/ended-calls.ts';
import { mean, quantile } from '../engine/quantile.ts';
import { type Random, seeded } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { inVirtualTime, type VirtualTime } from '../engine/virtual-time.ts';
import { computing, type Work, waiting } from '../engine/work.ts';
import type { Scenario, ScenarioOptions } from '../scenario.ts';

const START_MS = 500;
const FACTOR = 5;
const STEP_MS = 30_000;
const FULL_MS = 120_000;
/** Divided by the calls per replica: the fewer there are, the more is chance. */
const FULL_RUNS = 30;
const LEAST_RUNS = 3;

interface Case {
  readonly name: string;
  readonly targetOngoingRequests: number;
  /** Calls per ms after the step. */
  readonly perMs: number;
  readonly work: Work;
  /** Time to the next call, as a multiple of the mean. */
  readonly gap: (random: Random) => number;
  /** Replicas that the load needs before and after the step. */
  readonly oracle: readonly [before: number, after: number];
}

const regular = (random: Random): number => 0.5 + random();
const irregular = (random: Random): number => -Math.log(1 - random());

/**
 * Otherwise all defaults: up after 3 s, down after 60 s. The load of methods that wait is 1.9 replicas' worth, then 9.5.
 * With 8 calls per replica and 16 places, calls wait until the new replicas run.
 */
const CASES: readonly Case[] = [
  {
    name: '2 calls of 100 ms per replica, regular',
    targetOngoingRequests: 2,
    perMs: 0.19,
    work: waiting(100),
    gap: regular,
    oracle: [2, 10],
  },
  {
    name: '2 calls of 100 ms per replica, Poisson',
    targetOngoingRequests: 2,
    perMs: 0.19,
    work: waiting(100),
    gap: irregular,
    oracle: [2, 10],
  },
  {
    name: '8 calls of 100 ms per replica, Poisson',
    targetOngoingRequests: 8,
    perMs: 0.76,
    work: waiting(100),
    gap: irregular,
    oracle: [2, 10],
  },
];

/**
 * 20 ms of computing: 7 replicas are busy, and with 8 of them a call waits for 7 ms (M/D/8). Two replicas do 100 calls/s, so
 * 250 more wait with each second until the new ones run; what it takes to clear that queue is there for 60 s.
 */
const COMPUTING: Case = {
  name: '20 ms of computing, Poisson',
  targetOngoingRequests: 2,
  perMs: 0.35,
  work: computing(20),
  gap: irregular,
  oracle: [2, 8],
};

interface Run {
  /** Of the replicas that the controller wanted after the step; what is started is paid for, ready or not. */
  readonly replicaSeconds: number;
  /** From the step until as many are wanted as the oracle has. */
  readonly reachedMs: number;
}

/** A load that becomes five times as high from one moment to the next, against an oracle that knows its mean. */
export const step: Scenario = {
  name: 'step',
  async run(options) {
    const details: string[] = [];
    const ratios: number[] = [];
    const delays: number[] = [];
    for (const one of CASES) {
      const { ratio, delayMs, detail } = await runsOf(one, options);
      ratios.push(ratio);
      delays.push(delayMs);
      details.push(detail);
    }
    const whileComputing = await runsOf(COMPUTING, options);
    details.push(whileComputing.detail);
    return {
      measured: [
        { key: 'step_replica_seconds_vs_oracle', value: Math.max(...ratios), most: 1.1 },
        { key: 'step_target_over_delay_ms', value: Math.max(...delays, whileComputing.delayMs), most: 500 },
        { key: 'step_computing_vs_oracle', value: whileComputing.ratio, most: 1.4 },
      ],
      details,
    };
  },
};

async function runsOf(one: Case, { seed, scale }: ScenarioOptions) {
  const { targetOngoingRequests, oracle } = one;
  const endMs = STEP_MS + FULL_MS * scale;
  const options = { minReplicas: 1, maxReplicas: 60, initialReplicas: oracle[0], targetOngoingRequests };
  const config = autoscalingOf(undefined, options);
  if (config === undefined) throw new Error('not autoscaled');
  const runsWanted = Math.max(LEAST_RUNS, (FULL_RUNS / targetOngoingRequests) * scale);
  const runs: Run[] = [];
  for (let index = 0; index < runsWanted; index++) {
    const times = arrivals(one, seed + index, endMs);
    runs.push(await inVirtualTime(seed + index, (time) => simulate(time, config, one, times, endMs)));
  }
  const oracleSeconds = (oracle[1] * (endMs - STEP_MS)) / 1_000;
  const ratio = mean(runs.map(({ replicaSeconds }) => replicaSeconds)) / oracleSeconds;
  const delayed = runs.map(({ reachedMs }) => reachedMs);
  const reached = quantile(delayed, 0.5);
  const seconds = (reached / 1_000).toFixed(2);
  return {
    ratio,
    delayMs: reached - config.upscaleDelayMs,
    detail: `${one.name}: ${ratio.toFixed(3)} of the oracle's replica seconds, its ${oracle[1]} replicas wanted after ${seconds} s (median)`,
  };
}

/** Times at which calls come. */
function arrivals({ gap, perMs }: Case, seed: number, endMs: number): Float64Array {
  const random = seeded(seed);
  const times: number[] = [];
  for (let at = 0; at < endMs; ) {
    at += gap(random) / (at < STEP_MS ? perMs / FACTOR : perMs);
    times.push(at);
  }
  return Float64Array.from(times);
}

async function simulate(
  time: VirtualTime,
  config: AutoscalingConfig,
  { work, oracle }: Case,
  times: Float64Array,
  endMs: number,
): Promise<Run> {
  let target = config.initialReplicas ?? config.minReplicas;
  const deployment = await SimulatedDeployment.start(time, { replicas: target });
  const { replicas, load } = deployment;
  arrive(time, times, () => deployment.call(work));
  const bounds = { min: config.minReplicas, max: config.maxReplicas };
  const scaler = new LoadScaler(config, target);
  const ended = new EndedCalls();
  let starting = 0;
  let replicaSeconds = 0;
  let reachedAt = Infinity;

  const follow = (): void => {
    while (replicas.length > target) deployment.stopReplica();
    for (; replicas.length + starting < target; starting++)
      time.after(START_MS, () => {
        starting--;
        if (replicas.length < target) void deployment.startReplica();
      });
  };
  const tick = (): void => {
    const at = time.now();
    const ongoing = replicas.reduce((sum, replica) => sum + replica.load.ongoing, 0);
    const sample = {
      at,
      running: replicas.length,
      queued: load.queued,
      ongoing,
      ended: ended.count(replicas),
    };
    scaler.sample(sample, bounds);
    const { inputs } = scaler;
    if (inputs !== undefined)
      target = scaler.decide(target, replicasForLoad(config, target, inputs))?.to ?? target;
    follow();
    if (at <= STEP_MS) return;
    replicaSeconds += ((replicas.length + starting) * config.metricsIntervalMs) / 1_000;
    if (target >= oracle[1]) reachedAt = Math.min(reachedAt, at);
  };
  const ticker = time.every(config.metricsIntervalMs, tick);
  await time.advanceTo(endMs);
  time.cancel(ticker);
  await deployment.finish(Infinity);
  return { replicaSeconds, reachedMs: reachedAt - STEP_MS };
}
