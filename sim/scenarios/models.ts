import { mean, quantile } from '../engine/quantile.ts';
import { constant, seeded, zipf } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { poisson, type Traffic } from '../engine/traffic.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { computing } from '../engine/work.ts';
import { pooledLruHitRate } from '../references/pooled-lru.ts';
import type { Scenario } from '../scenario.ts';

const REPLICAS = 4;
const SLOTS = 3;
const LOAD_MS = 100;
const SERVICE_MS = 20;
const FULL_MS = 120_000;
const WARM_UP_MS = 10_000;
/** Share of the replicas' time that the calls take, loads not counted. */
const LOAD = 0.375;
/** The same for replicas that are rarely idle. */
const BUSY_LOAD = 0.8;
/** Mean latency where each replica has a queue of its own, M/D/1: what the best division of the models reaches. */
const MD1_MS = SERVICE_MS * (1 + BUSY_LOAD / (2 * (1 - BUSY_LOAD)));
/** The same for more models than slots: with the loads of a pooled cache the replicas are half busy. */
const CROWDED_LOAD = 0.19;
/** With the loads of a pooled cache (0.31 × 100 ms a call) the replicas would have almost as much to do as they can. */
const SCARCE_LOAD = 0.375;

interface Run {
  readonly hitRate: number;
  readonly idealHitRate: number;
  readonly meanMs: number;
  readonly p99Ms: number;
  /** The mean latency of the last third of the time, as a multiple of the second third's. */
  readonly growth: number;
}

/** Multiplexed models in 4 × 3 slots, one call at a time per replica, 100 ms for a load. */
export const models: Scenario = {
  name: 'models',
  async run({ seed, scale }) {
    const endMs = WARM_UP_MS + FULL_MS * scale;
    const fitting = await run(seed, endMs, LOAD, (at) => Math.floor(12 * at));
    const busy = await run(seed, endMs, BUSY_LOAD, (at) => Math.floor(12 * at));
    const crowded = await run(seed, endMs, CROWDED_LOAD, zipf(30));
    const scarce = await run(seed, endMs, SCARCE_LOAD, zipf(30));
    return {
      measured: [
        { key: 'models_hit', value: Math.min(fitting.hitRate, busy.hitRate), least: 0.93 },
        { key: 'models_busy_vs_md1', value: busy.meanMs / MD1_MS, most: 2.5 },
        { key: 'models_growth', value: Math.max(fitting.growth, crowded.growth), most: 1.5 },
        { key: 'models_crowded_hit', value: Math.min(crowded.hitRate, scarce.hitRate), least: 0.4 },
        { key: 'models_crowded_p99_ms', value: Math.max(crowded.p99Ms, scarce.p99Ms), most: 2_000 },
      ],
      details: [
        `12 models: ${describe(fitting)}`,
        `12 models, load ${BUSY_LOAD}: ${describe(busy)}`,
        `30 models by Zipf's law: ${describe(crowded)}`,
        `30 models by Zipf's law, load ${SCARCE_LOAD}: ${describe(scarce)}`,
      ],
    };
  },
};

function describe({ hitRate, idealHitRate, meanMs, p99Ms, growth }: Run): string {
  const hits = `${hitRate.toFixed(3)} found their model (one cache of 12 slots: ${idealHitRate.toFixed(3)})`;
  return `${hits}, mean ${meanMs.toFixed(0)} ms, p99 ${p99Ms.toFixed(0)} ms, ${growth.toFixed(2)} × in the last third`;
}

function run(seed: number, endMs: number, load: number, modelAt: (at: number) => number): Promise<Run> {
  return inVirtualTime(seed, async (time) => {
    const random = seeded(seed);
    const deployment = await SimulatedDeployment.start(time, {
      replicas: REPLICAS,
      limit: 1,
      maxQueued: -1,
      nature: () => ({ models: { slots: SLOTS, loadMs: LOAD_MS } }),
    });
    const traffic: Traffic = poisson(random, (load * REPLICAS) / SERVICE_MS, endMs, constant(SERVICE_MS));
    const wanted = Array.from(traffic.times, () => modelAt(random()));
    const latencies: Array<{ readonly at: number; readonly ms: number }> = [];
    arrive(time, traffic.times, (index) => {
      deployment.call(computing(SERVICE_MS), {
        meta: { multiplexedModelId: `model-${wanted[index]}` },
        onEnded: ({ createdAt }) => {
          if (createdAt >= WARM_UP_MS) latencies.push({ at: createdAt, ms: time.now() - createdAt });
        },
      });
    });
    const loads = (): number =>
      deployment.replicas.reduce((sum, replica) => sum + (replica.models?.loads ?? 0), 0);
    await time.advanceTo(WARM_UP_MS);
    const loadsBefore = loads();
    await time.advanceTo(endMs);
    const loaded = loads() - loadsBefore;
    await deployment.finish(endMs + 60_000);
    const first = traffic.times.findIndex((at) => at >= WARM_UP_MS);
    const ofThird = (third: number): number => {
      const length = (endMs - WARM_UP_MS) / 3;
      const from = WARM_UP_MS + third * length;
      return mean(latencies.filter(({ at }) => at >= from && at < from + length).map(({ ms }) => ms));
    };
    const all = latencies.map(({ ms }) => ms);
    return {
      hitRate: 1 - loaded / latencies.length,
      idealHitRate: pooledLruHitRate(wanted, REPLICAS * SLOTS, first),
      meanMs: mean(all),
      p99Ms: quantile(all, 0.99),
      growth: ofThird(2) / ofThird(1),
    };
  });
}
