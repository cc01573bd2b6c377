import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { Task } from './piscina.worker.ts';
import type { Delegate } from './site.ts';

const WORKER = fileURLToPath(new URL('./piscina.worker.ts', import.meta.url));

/** The setting that is fastest with many tasks in flight (see bench/threads/piscina.ts). */
const BEST = { atomics: 'async', concurrentTasksPerWorker: 256 } as const;

/** @param isBest its best setting, or as it comes: one task at a time per thread */
export function startPiscina(isBest: boolean): { delegate: Delegate; close(): Promise<void> } {
  const open = () => new Piscina({ filename: WORKER, minThreads: 1, maxThreads: 1, ...(isBest ? BEST : {}) });
  // One thread for the light routes, one for the heavy, as there are replicas.
  const light = open();
  const heavy = open();
  const run = <R>(task: Task): Promise<R> => (task.route === 'busy' ? heavy : light).run(task);
  return {
    delegate: {
      json: () => run({ route: 'json' }),
      echo: (body) => run({ route: 'echo', body }),
      upload: (body) => run({ route: 'upload', body }),
      busy: () => run({ route: 'busy' }),
    },
    close: async () => {
      await Promise.all([light.destroy(), heavy.destroy()]);
    },
  };
}
