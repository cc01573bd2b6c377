import type { Worker, WorkerOptions } from 'node:worker_threads';

/** One thread, from spawn to exit. */
export interface PooledThread {
  readonly worker: Worker;
  /** Ends an idle thread in order. Resolves when it is gone. */
  retire(): Promise<void>;
}

/** Where replicas' threads come from. */
export interface ThreadPool {
  /** The workers answer poolifier's handshakes. */
  readonly isPooled: boolean;
  spawn(options: WorkerOptions): PooledThread;
  /** After every thread is retired. */
  close(): Promise<void>;
}
