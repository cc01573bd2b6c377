import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { mean } from '../harness/statistics.ts';

const WORKER = new URL('./calibrate.worker.ts', import.meta.url);

/**
 * Steps of `compute` per millisecond while so many threads compute: two that share a core, or its clock, are slower than
 * one alone. All contenders get the same number, so that their calls are identical.
 */
export async function stepsPerMs(threads: number): Promise<number> {
  const speeds = await Promise.all(
    Array.from({ length: threads }, async () => {
      const worker = new Worker(WORKER);
      const [speed] = (await once(worker, 'message')) as [number];
      await worker.terminate();
      return speed;
    }),
  );
  return mean(speeds);
}
