import { autoscale, initialState, replicasForLoad } from '../../../src/controller/autoscale.ts';
import { type InstanceSpace, place } from '../../../src/controller/place.ts';
import { autoscalingOf } from '../../../src/deployment/options/autoscaling-options.ts';
import { demandOf } from '../../../src/deployment/options/resources.ts';
import { mainThreadCpuNs } from '../../harness/cpu-time.ts';
import { median } from '../../harness/statistics.ts';
import type { Cell } from '../cell.ts';

const INSTANCES = 1_000;
const DEPLOYMENTS = 100;
const REPLICAS_EACH = 100;
const PASSES = 15;

/**
 * One pass of the controller over a thousand instances with ten thousand replicas of a hundred deployments: the loads of
 * all replicas are summed, every deployment is decided upon, and half of them get a tenth more replicas placed.
 */
export const decision: Cell = {
  name: 'decision',
  units: { pass: 'ms', cpu: 'ms' },
  keys: [{ key: 'control.decision_1000x10000_ms', metric: 'pass', goal: '≤ 50 ms' }],
  timeoutMs: 60_000,
  rounds: 3,
  async measure() {
    const cpuBegin = mainThreadCpuNs();
    const times = Array.from({ length: PASSES }, () => {
      const begin = performance.now();
      const placed = pass();
      const took = performance.now() - begin;
      if (placed !== (DEPLOYMENTS / 2) * (REPLICAS_EACH / 10)) throw new Error(`placed ${placed} replicas`);
      return took;
    });
    const cpuEnd = mainThreadCpuNs();
    if (cpuBegin === undefined || cpuEnd === undefined) return { pass: median(times) };
    // Of the mean pass; on a busy machine nearer to the truth.
    return { pass: median(times), cpu: (cpuEnd - cpuBegin) / 1e6 / PASSES };
  },
};

const config = autoscalingOf(undefined, { maxReplicas: 1_000, upscaleDelayMs: 0 });
const demand = demandOf({ cpus: 0.1, memoryMb: 64 });
/** Where the replicas are, deployment by deployment: spread over all instances. */
const replicas = Array.from({ length: DEPLOYMENTS }, (_, deployment) =>
  Array.from({ length: REPLICAS_EACH }, (_, index) => ({
    instance: (deployment * REPLICAS_EACH + index) % INSTANCES,
    ongoing: deployment % 2 === 0 ? 2 : 2.2,
  })),
);

function pass(): number {
  if (config === undefined) throw new Error('not autoscaled');
  const free = Array.from({ length: INSTANCES }, () => ({ cpus: 80_000, memoryMb: 160_000_000 }));
  for (const { instance } of replicas.flat()) {
    const left = free[instance];
    if (left === undefined) continue;
    left.cpus -= demand.amounts['cpus'] ?? 0;
    left.memoryMb -= demand.amounts['memoryMb'] ?? 0;
  }
  let placed = 0;
  for (const own of replicas) {
    const load = own.reduce((sum, { ongoing }) => sum + ongoing, 0);
    const common = {
      at: 0,
      running: own.length,
      queued: 0,
      ongoing: load,
      load,
      ended: load,
      panicLoad: load,
      panicRunning: own.length,
    };
    const inputs = { ...common, bounds: { min: 1, max: 1_000 } };
    const wanted = replicasForLoad(config, own.length, inputs);
    const { state } = autoscale(config, initialState(own.length), inputs, wanted);
    const count = state.target - own.length;
    if (count === 0) continue;
    const counts = new Map<number, number>();
    for (const { instance } of own) counts.set(instance, (counts.get(instance) ?? 0) + 1);
    const spaces = free.map(
      (left, index): InstanceSpace => ({
        id: String(index),
        free: left,
        gpus: [],
        replicas: counts.get(index) ?? 0,
      }),
    );
    placed += place({ demand, count, maxPerInstance: Infinity }, spaces).placements.length;
  }
  return placed;
}
