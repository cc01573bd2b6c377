import { createServe } from 'inserve';
import type { Cell } from '../cell.ts';
import { SleeperDeployment } from '../deployments.ts';

/** What any start of a replica costs: thread, import, an empty construction, the first call. */
export const start: Cell = {
  name: 'start',
  units: { firstAnswer: 'ms' },
  keys: [{ key: 'control.start_ms', metric: 'firstAnswer', goal: 'the floor of every scale-up' }],
  timeoutMs: 10_000,
  rounds: 7,
  async measure() {
    await using serve = createServe();
    const begin = performance.now();
    const handle = await serve.run(SleeperDeployment.bind());
    await handle.remote(0);
    return { firstAnswer: performance.now() - begin };
  },
};
