import { EventEmitter } from 'node:events';
import type { ThreadWorker } from './thread.ts';

/**
 * Stands in for a thread that the system refused to create (`node --permission`, a limit of threads): it ends at once with the
 * error, so that a failed spawn is handled like every failed start.
 */
export function unmadeThread(error: unknown): ThreadWorker {
  const worker = new UnmadeWorker();
  setImmediate(() => {
    worker.emit('error', error);
    worker.emit('exit', 1);
  });
  return worker;
}

class UnmadeWorker extends EventEmitter implements ThreadWorker {
  readonly threadId = -1;

  async terminate(): Promise<number> {
    return 1;
  }

  getHeapStatistics(): Promise<never> {
    return Promise.reject(new Error('the thread was never created'));
  }
}
