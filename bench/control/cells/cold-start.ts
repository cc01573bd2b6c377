import type { Cell } from '../cell.ts';
import { running } from '../scaling.ts';

/**
 * The first call to a deployment that is scaled to zero, against the same call to one that is there: what is left is the
 * start of a replica whose construction takes no time.
 */
export const coldStart: Cell = {
  name: 'cold-start',
  units: { overConstruction: 'ms', warm: 'ms' },
  keys: [{ key: 'control.cold_start_over_construction_ms', metric: 'overConstruction', goal: '≤ 1000 ms' }],
  timeoutMs: 20_000,
  rounds: 7,
  async measure() {
    await using one = await running({ autoscaling: { minReplicas: 0 } });
    const begin = performance.now();
    await one.handle.remote(0);
    const cold = performance.now();
    await one.handle.remote(0);
    const warm = performance.now() - cold;
    return { overConstruction: cold - begin - warm, warm };
  },
};
