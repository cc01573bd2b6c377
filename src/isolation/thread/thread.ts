import type { EventEmitter } from 'node:events';
import type { Worker, WorkerOptions } from 'node:worker_threads';

/** The part of a worker that is used: the worker emits `error` and `exit`. */
export type ThreadWorker = Pick<Worker, 'threadId' | 'terminate' | 'getHeapStatistics'> & EventEmitter;

/** Creates the threads of replicas. */
export interface ThreadPool {
  /** Whether the workers answer poolifier's handshakes. */
  readonly isPooled: boolean;
  spawn(options: WorkerOptions): ThreadWorker;
}
