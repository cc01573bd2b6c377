import { Child } from '../harness/child.ts';
import type { Contender } from '../harness/rounds.ts';
import type { ReplicaRequest } from './child.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const TIMEOUT_MS = 30_000;

/** `firstMemory` comes first: the process has nothing in it then. */
export const REPLICA_CELLS: readonly ReplicaRequest[] = ['firstMemory', 'start', 'memory'];

/** A replica, and a bare worker thread to compare it with: what it takes to start one, and to have one. */
export const REPLICA_CONTENDERS: readonly Contender[] = ['worker', 'replica'].map((name) => ({
  name,
  cells: REPLICA_CELLS,
  start: async () => {
    const child = await Child.start<ReplicaRequest, number>(name, CHILD, [name], TIMEOUT_MS);
    return {
      measure: async (cell) => ({ [cell]: await child.ask(cell as ReplicaRequest, TIMEOUT_MS) }),
      stop: () => child.stop(),
    };
  },
}));
