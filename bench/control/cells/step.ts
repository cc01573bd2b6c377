import { setTimeout as sleep } from 'node:timers/promises';
import type { Cell } from '../cell.ts';
import { running, whenRunning } from '../scaling.ts';

/** One replica carries two calls, as it is meant to; then there are twenty. All options are the defaults. */
export const step: Cell = {
  name: 'step',
  units: { decision: 'ms', firstReplica: 'ms', tenReplicas: 'ms' },
  keys: [
    { key: 'control.step_first_replica_ms', metric: 'firstReplica', goal: '≤ 2000 ms' },
    { key: 'control.step_decision_ms', metric: 'decision', goal: 'the part of it that is the controller' },
  ],
  timeoutMs: 30_000,
  rounds: 5,
  async measure() {
    await using one = await running({ autoscaling: { maxReplicas: 10 } });
    one.load(2);
    await sleep(4_000);
    const { promise: decided, resolve } = Promise.withResolvers<number>();
    const off = one.serve.on('scaling', () => resolve(performance.now()));
    const first = whenRunning(one.serve, 1);
    const all = whenRunning(one.serve, 9);
    const begin = performance.now();
    one.load(18);
    const metrics = {
      decision: (await decided) - begin,
      firstReplica: (await first) - begin,
      tenReplicas: (await all) - begin,
    };
    off();
    return metrics;
  },
};
