import { seeded } from '../../../sim/engine/random.ts';
import { replicasForLoad, type ScalingDecision } from '../../../src/controller/autoscale.ts';
import { LoadScaler } from '../../../src/controller/load-scaler.ts';
import {
  type AutoscalingOptions,
  autoscalingOf,
} from '../../../src/deployment/options/autoscaling-options.ts';
import { type LoadShape, rateAt } from '../../fixtures/load/load-shapes.ts';

const STEP_MS = 25;
/** Of a call, in seconds. */
const SERVICE_S = 0.1;
const START_MS = 500;
const MAX_ONGOING = 16;
/** Arrivals scatter by so much around the shape. */
const NOISE = 0.1;

export interface SimulatedTick {
  readonly second: number;
  readonly target: number;
  readonly running: number;
  readonly ongoing: number;
  readonly queued: number;
  readonly decision: ScalingDecision;
}

/**
 * One deployment under a virtual clock: calls arrive by a shape, wait where all places are taken, take 100 ms each;
 * replicas take 500 ms to start. The controller is the real one.
 */
export function simulate(shape: LoadShape, options: AutoscalingOptions, seed = 1): SimulatedTick[] {
  const config = autoscalingOf(undefined, options);
  if (config === undefined) throw new Error('not autoscaled');
  const random = seeded(seed);
  const bounds = { min: config.minReplicas, max: config.maxReplicas };
  const starts: number[] = [];
  const ticks: SimulatedTick[] = [];
  let target = config.initialReplicas ?? config.minReplicas;
  const scaler = new LoadScaler(config, target);
  let running = target;
  let inSystem = (rateAt(shape, 0) ?? 0) * SERVICE_S;
  let ended = 0;
  const endMs = (shape.at(-1)?.[0] ?? 0) * 1_000;
  for (let at = 0; at <= endMs; at += STEP_MS) {
    while ((starts[0] ?? Infinity) <= at) {
      starts.shift();
      running++;
    }
    const arriving = rateAt(shape, at / 1_000) * (1 + NOISE * (2 * random() - 1));
    const ongoing = Math.min(inSystem, running * MAX_ONGOING);
    inSystem = Math.max(0, inSystem + (arriving - ongoing / SERVICE_S) * (STEP_MS / 1_000));
    ended += (ongoing / SERVICE_S) * (STEP_MS / 1_000);
    if (at % config.metricsIntervalMs !== 0) continue;
    const queued = Math.max(0, inSystem - ongoing);
    scaler.sample({ at, running, queued, ongoing, ended }, bounds);
    const { inputs } = scaler;
    const decision = inputs && scaler.decide(target, replicasForLoad(config, target, inputs));
    if (decision === undefined) throw new Error('nothing was decided');
    target = decision.to;
    for (let missing = target - running - starts.length; missing > 0; missing--) starts.push(at + START_MS);
    while (running + starts.length > target && starts.length > 0) starts.pop();
    running = Math.min(running, target);
    ticks.push({ second: at / 1_000, target, running, ongoing, queued, decision });
  }
  return ticks;
}

/** How often the target went the other way than the time before. */
export function reversals(ticks: readonly SimulatedTick[]): number {
  const deltas = changes(ticks).map(({ decision: { from, to } }) => Math.sign(to - from));
  return deltas.filter((sign, index) => index > 0 && sign !== deltas[index - 1]).length;
}

/** Those at which the target changed. */
export function changes(ticks: readonly SimulatedTick[]): SimulatedTick[] {
  return ticks.filter(({ decision: { from, to } }) => from !== to);
}
