import { fileURLToPath } from 'node:url';
import { FixedThreadPool } from 'poolifier';
import { type Implementation, sessionOf } from './session.ts';
import type { Payload } from './work.ts';

const WORKER = fileURLToPath(new URL('./poolifier.worker.ts', import.meta.url));

/** poolifier's own call path. Without events is its fastest setting: they cost an async resource per call. */
export const poolifier: Implementation = async (workers) => {
  const pool = new FixedThreadPool<Payload>(workers, WORKER, {
    enableEvents: false,
    // The default weights are noise on machines that do not tell the speed of their CPUs.
    workerChoiceStrategyOptions: {
      weights: Object.fromEntries(Array.from({ length: workers }, (_, i) => [i, 1])),
    },
  });
  const call = (payload: Payload, transfer?: ArrayBuffer[]) =>
    pool.execute(payload, undefined, undefined, transfer);
  // Its workers post their results without a transfer list.
  const { bounce: _, ...session } = sessionOf(call, () => pool.destroy());
  return session;
};
