import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { Kind } from './mix.ts';

const WORKER = fileURLToPath(new URL('./piscina.worker.ts', import.meta.url));
const WARM_UP_CALLS = 100;
const WARM_UP_CALL_MS = 2;

export interface Pool {
  run(steps: number): Promise<number>;
  work(kind: Kind): Promise<unknown>;
  close(): Promise<void>;
}

/** So many threads, no more and no fewer; otherwise as it comes: one task at a time per thread, first in, first out. */
export async function piscinaOf(threads: number, stepsPerMs: number): Promise<Pool> {
  const pool = new Piscina({ filename: WORKER, minThreads: threads, maxThreads: threads });
  const warm = Array.from({ length: WARM_UP_CALLS }, () => pool.run(WARM_UP_CALL_MS * stepsPerMs));
  await Promise.all(warm);
  return {
    run: (steps) => pool.run(steps),
    work: (kind) => pool.run(kind),
    close: () => pool.destroy(),
  };
}
