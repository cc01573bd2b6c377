import type { EventEmitter } from 'node:events';
import type { Worker, WorkerOptions } from 'node:worker_threads';

/** What is used of a worker: it emits `error` and `exit`. */
export type ThreadWorker = Pick<Worker, 'threadId' | 'terminate' | 'getHeapStatistics'> & EventEmitter;

/** One thread, from spawn to exit. */
export interface PooledThread {
  readonly worker: ThreadWorker;
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
