import { isMainThread } from 'node:worker_threads';
import { PlainThreads } from './plain-threads.ts';
import { ReplicaPool } from './replica-pool.ts';
import type { ThreadPool } from './thread.ts';

/** Threads of a deployment: a poolifier pool, or plain workers where poolifier refuses to work. */
export function createThreadPool(entry: string): ThreadPool {
  return isMainThread ? new ReplicaPool(entry) : new PlainThreads(entry);
}
