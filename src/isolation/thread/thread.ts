import type { EventEmitter } from 'node:events';
import type { Worker, WorkerOptions } from 'node:worker_threads';

/** The part of a worker that is used: it emits `error` and `exit`. */
export type ThreadWorker = Pick<Worker, 'threadId' | 'terminate' | 'getHeapStatistics'> & EventEmitter;

/** Where replicas' threads come from. */
export interface ThreadPool {
  /** The workers answer poolifier's handshakes. */
  readonly isPooled: boolean;
  spawn(options: WorkerOptions): ThreadWorker;
}
