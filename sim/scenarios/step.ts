import { replicasForLoad } from '../../src/controller/autoscale.ts';
import { LoadScaler } from '../../src/controller/load-scaler.ts';
import type { AutoscalingConfig } from '../../src/deployment/autoscaling-config.ts';
import { autoscalingOf } from '../../src/deployment/autoscaling-options.ts';
import { mean, quantile } from '../engine/quantile.ts';
import { type Random, seeded } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { inVirtualTime, type VirtualTime } from '../engine/virtual-time.ts';
import { waiting } from '../engine/work.ts';
import type { Scenario } from '../scenario.ts';

const SERVICE_MS = 100;
const START_MS = 500;
/** The replicas that are there before the step have room for all calls after it: nothing waits. */
const LIMIT = 64;
/** Replicas that carry the load before and after the step, as fractions: the oracle has two, then ten. */
const BEFORE = 1.9;
const AFTER = 9.5;
const STEP_MS = 30_000;
const FULL_MS = 120_000;
const FULL_RUNS = 9;

interface Case {
  readonly name: string;
  readonly targetOngoingRequests: number;
  /** Time to the next call, as a multiple of the mean. */
  readonly gap: (random: Random) => number;
}

const regular = (random: Random): number => 0.5 + random();
const irregular = (random: Random): number => -Math.log(1 - random());

/** Otherwise all defaults: up after 3 s, down after 60 s. A mean over 3 s of two calls per replica is mostly chance. */
const CASES: readonly Case[] = [
  { name: '2 calls per replica, regular', targetOngoingRequests: 2, gap: regular },
  { name: '2 calls per replica, Poisson', targetOngoingRequests: 2, gap: irregular },
  { name: '8 calls per replica, Poisson', targetOngoingRequests: 8, gap: irregular },
];

interface Run {
  /** Of the replicas that the controller wanted after the step; what is started is paid for, ready or not. */
  readonly replicaSeconds: number;
  /** From the step until as many are wanted as the oracle has. */
  readonly reachedMs: number;
}

/** A load that becomes five times as high from one moment to the next, against an oracle that knows its mean. */
export const step: Scenario = {
  name: 'step',
  async run({ seed, scale }) {
    const endMs = STEP_MS + FULL_MS * scale;
    const oracleSeconds = (Math.ceil(AFTER) * (endMs - STEP_MS)) / 1_000;
    const ratios: number[] = [];
    const delays: number[] = [];
    const details: string[] = [];
    for (const one of CASES) {
      const { targetOngoingRequests } = one;
      const options = { minReplicas: 1, maxReplicas: 40, initialReplicas: 2, targetOngoingRequests };
      const config = autoscalingOf(undefined, options);
      if (config === undefined) throw new Error('not autoscaled');
      const runs: Run[] = [];
      for (let index = 0; index < Math.ceil(FULL_RUNS * scale); index++) {
        const own = seed + index;
        runs.push(await inVirtualTime(own, (time) => simulate(time, config, gapsOf(one, own), endMs)));
      }
      const ratio = mean(runs.map(({ replicaSeconds }) => replicaSeconds)) / oracleSeconds;
      const reached = quantile(
        runs.map(({ reachedMs }) => reachedMs),
        0.5,
      );
      ratios.push(ratio);
      delays.push(reached - config.upscaleDelayMs);
      details.push(
        `${one.name}: ${ratio.toFixed(3)} of the oracle's replica seconds, target reached after ${(reached / 1_000).toFixed(2)} s (median)`,
      );
    }
    return {
      measured: [
        { key: 'step_replica_seconds_vs_oracle', value: Math.max(...ratios), most: 1.1 },
        { key: 'step_target_over_delay_ms', value: Math.max(...delays), most: 500 },
      ],
      details,
    };
  },
};

/** Times at which calls come. */
function gapsOf({ gap, targetOngoingRequests }: Case, seed: number): (endMs: number) => Float64Array {
  const random = seeded(seed);
  return (endMs) => {
    const times: number[] = [];
    for (let at = 0; at < endMs; ) {
      const perMs = ((at < STEP_MS ? BEFORE : AFTER) * targetOngoingRequests) / SERVICE_MS;
      at += gap(random) / perMs;
      times.push(at);
    }
    return Float64Array.from(times);
  };
}

async function simulate(
  time: VirtualTime,
  config: AutoscalingConfig,
  timesUntil: (endMs: number) => Float64Array,
  endMs: number,
): Promise<Run> {
  let target = config.initialReplicas ?? config.minReplicas;
  const deployment = await SimulatedDeployment.start(time, { replicas: target, limit: LIMIT });
  const { replicas, load } = deployment;
  arrive(time, timesUntil(endMs), () => deployment.call(waiting(SERVICE_MS)));
  const bounds = { min: config.minReplicas, max: config.maxReplicas };
  const scaler = new LoadScaler(config, target);
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
    scaler.sample({ at, running: replicas.length, queued: load.queued, ongoing, bounds });
    const { inputs } = scaler;
    if (inputs !== undefined)
      target = scaler.decide(target, replicasForLoad(config, target, inputs))?.to ?? target;
    follow();
    if (at <= STEP_MS) return;
    replicaSeconds += ((replicas.length + starting) * config.metricsIntervalMs) / 1_000;
    if (target >= Math.ceil(AFTER)) reachedAt = Math.min(reachedAt, at);
  };
  const ticker = time.every(config.metricsIntervalMs, tick);
  await time.advanceTo(endMs);
  time.cancel(ticker);
  await deployment.finish(Infinity);
  return { replicaSeconds, reachedMs: reachedAt - STEP_MS };
}
