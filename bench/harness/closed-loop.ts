import { setTimeout as sleep } from 'node:timers/promises';
import { mainThreadCpuNs, processCpuNs } from './cpu-time.ts';
import type { Metrics } from './samples.ts';
import { percentile } from './statistics.ts';

export type Call = () => Promise<unknown>;

export interface ClosedLoop {
  readonly inFlight: number;
  readonly ms: number;
  /** Makes the call of one slot, so that a slot can own state such as a buffer. */
  readonly call: (slot: number) => Call;
  /** Id of the process that is called, if it is another one. */
  readonly server?: number;
}

export const CLOSED_LOOP_UNITS = {
  throughput: 'calls/s',
  p50: 'µs',
  p99: 'µs',
  cpu: 'µs/call',
  process: 'µs/call',
  server: 'µs/call',
};

/**
 * Keeps `inFlight` calls open for `ms` milliseconds, after a run-up of a fifth of that. Latency is measured
 * at one call in flight only: above that it is `inFlight / throughput` (Little's law) and says nothing new.
 * `cpu` is the main thread's on-CPU time per call, `process` that of all threads of the process, `server` that of the called
 * process.
 */
export async function closedLoop({ inFlight, ms, call, server }: ClosedLoop): Promise<Metrics> {
  const latencies: number[] = [];
  let completed = 0;
  let stopped = false;
  const loop = async (slot: number) => {
    const one = call(slot);
    while (!stopped) {
      const begin = performance.now();
      await one();
      completed++;
      if (inFlight === 1) latencies.push(performance.now() - begin);
    }
  };
  const loops = Promise.all(Array.from({ length: inFlight }, (_, slot) => loop(slot)));
  // A failing call ends the wait at once.
  const wait = (duration: number) => Promise.race([sleep(duration), loops]);

  await wait(ms / 5);
  completed = 0;
  latencies.length = 0;
  const cpuBegin = mainThreadCpuNs();
  const processBegin = process.cpuUsage();
  const serverBegin = server === undefined ? undefined : processCpuNs(server);
  const begin = performance.now();
  await wait(ms);
  const elapsedMs = performance.now() - begin;
  const serverEnd = server === undefined ? undefined : processCpuNs(server);
  const cpuEnd = mainThreadCpuNs();
  const { user, system } = process.cpuUsage(processBegin);
  const calls = completed;
  const measured = Float64Array.from(latencies).sort();
  stopped = true;
  await loops;

  const metrics: Record<string, number> = { throughput: (calls / elapsedMs) * 1e3 };
  if (measured.length > 0) {
    metrics['p50'] = percentile(measured, 0.5) * 1e3;
    metrics['p99'] = percentile(measured, 0.99) * 1e3;
  }
  if (calls > 0) metrics['process'] = (user + system) / calls;
  if (cpuBegin !== undefined && cpuEnd !== undefined && calls > 0) {
    metrics['cpu'] = (cpuEnd - cpuBegin) / calls / 1e3;
  }
  if (serverBegin !== undefined && serverEnd !== undefined && calls > 0) {
    metrics['server'] = (serverEnd - serverBegin) / calls / 1e3;
  }
  return metrics;
}
