import { createServe, type DeploymentHandle } from 'inserve';
import { answer } from '../harness/answer.ts';
import { mainThreadCpuNs } from '../harness/cpu-time.ts';
import type { Metrics } from '../harness/samples.ts';
import { percentile } from '../harness/statistics.ts';
import { type Model, ModelDeployment } from './deployments.ts';
import { optimum } from './loads.ts';

export interface MeasureLoad {
  readonly callers: number;
  readonly ms: number;
}

const serve = createServe();
const mode = process.argv[2] === 'adaptive' ? 'adaptive' : 'fixed';
const handle: DeploymentHandle<typeof Model> = await serve.run(ModelDeployment.bind(mode));

/** Each caller makes so many calls, one after the other; answers how long all took, in ms. */
async function run(callers: number, calls: number, latencies: number[]): Promise<number> {
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let call = 0; call < calls; call++) {
        const at = performance.now();
        const result = await handle.double.remote(caller);
        latencies.push(performance.now() - at);
        if (result !== caller * 2) throw new Error(`caller ${caller} got ${result}`);
      }
    }),
  );
  return performance.now() - begin;
}

answer<MeasureLoad, Metrics>(
  async ({ callers, ms }) => {
    // Whole rounds of calls: a window of time would cut a batch of 64 in two at its end.
    const calls = Math.max(4, Math.round(((optimum(callers) / callers) * ms) / 1e3));
    await run(callers, Math.ceil(calls / 4), []);
    const latencies: number[] = [];
    const cpuBegin = mainThreadCpuNs();
    const elapsedMs = await run(callers, calls, latencies);
    const cpuEnd = mainThreadCpuNs();
    return {
      ...(cpuBegin !== undefined &&
        cpuEnd !== undefined && { cpu: (cpuEnd - cpuBegin) / (callers * calls) / 1e3 }),
      throughput: (callers * calls * 1e3) / elapsedMs,
      p50: percentile(Float64Array.from(latencies).sort(), 0.5),
    };
  },
  () => serve.close(),
);
