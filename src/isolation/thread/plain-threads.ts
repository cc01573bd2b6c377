import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { ThreadPool, ThreadWorker } from './thread.ts';

/**
 * Poolifier makes no pools inside a worker thread. Hosts such as Platformatic Watt run the app in one, and so do
 * thread-based test runners.
 */
export class PlainThreads implements ThreadPool {
  readonly isPooled = false;
  readonly #entry: string;

  constructor(entry: string) {
    this.#entry = entry;
  }

  spawn(options: WorkerOptions): ThreadWorker {
    const worker = new Worker(this.#entry, options);
    worker.unref();
    return worker;
  }
}
