import { fileURLToPath } from 'node:url';
import { createServe } from 'inserve';
import { Piscina } from 'piscina';
import { allRunning } from '../harness/all-running.ts';
import { answer } from '../harness/answer.ts';
import type { Metrics } from '../harness/samples.ts';
import { clip } from './clip.ts';
import { VadDeployment } from './deployments.ts';

export interface MeasureClips {
  /** Clips that are under way at a time. */
  readonly inFlight: number;
  readonly ms: number;
}

const THREADS = 2;

interface Detector {
  run(clip: Float32Array): Promise<Float32Array>;
  close(): Promise<unknown>;
}

const starters: Readonly<Record<string, () => Promise<Detector>>> = {
  inserve: async () => {
    const serve = createServe();
    const vad = await serve.run(VadDeployment.options({ numReplicas: THREADS }).bind());
    await allRunning(serve);
    return { run: (given) => vad.probabilities.remote(given), close: () => serve.close() };
  },
  // One clip at a time per thread, which is its best setting: a frame of the network holds the thread.
  piscina: async () => {
    const filename = fileURLToPath(new URL('./piscina.worker.ts', import.meta.url));
    const pool = new Piscina({ filename, minThreads: THREADS, maxThreads: THREADS });
    return { run: (given) => pool.run(given), close: () => pool.destroy() };
  },
};

const start = starters[process.argv[2] ?? ''];
if (start === undefined) throw new Error(`nothing named '${process.argv[2]}'`);
const detector = await start();
const given = clip();
const [expected] = await Promise.all(Array.from({ length: THREADS * 2 }, () => detector.run(given)));

answer<MeasureClips, Metrics>(
  async ({ inFlight, ms }) => {
    let clips = 0;
    const latencies: number[] = [];
    const cpuBegin = process.cpuUsage();
    const begin = performance.now();
    await Promise.all(
      Array.from({ length: inFlight }, async () => {
        while (performance.now() - begin < ms) {
          const at = performance.now();
          const got = await detector.run(given);
          if (got.length !== expected?.length || got[20] !== expected[20]) throw new Error('a wrong answer');
          latencies.push(performance.now() - at);
          clips++;
        }
      }),
    );
    const { user, system } = process.cpuUsage(cpuBegin);
    return {
      throughput: (clips * 1e3) / (performance.now() - begin),
      latency: latencies.reduce((sum, latency) => sum + latency, 0) / latencies.length,
      process: (user + system) / 1e3 / clips,
    };
  },
  async () => {
    await detector.close();
  },
);
