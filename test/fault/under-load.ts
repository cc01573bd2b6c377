import { expect } from 'vitest';
import type { DeploymentHandle, DeploymentOptions, Serve, ServeError } from '../../src/index.ts';
import { type Victim, victim } from '../fixtures/faulty/victim.ts';

export const CALLERS = 64;
/** More than 64 callers make in three minutes; a call of a higher number could not be counted. */
const MOST_CALLS = 4_000_000;

export interface History {
  /** Outcome of every call by its number: `ok`, or the code of its error. */
  readonly outcomes: Map<number, string>;
  /** The threads that ran the calls which had this outcome. */
  threadsOf(wanted: string): Set<number>;
}

/**
 * 64 callers, each with one call in flight, while `fault` does its worst; then the invariant of every fault: each
 * accepted call ended exactly once, in its own result or one typed error, none ran twice, and the next call works.
 */
export async function underLoad(
  serve: Serve,
  options: DeploymentOptions,
  fault: (handle: DeploymentHandle<typeof Victim>) => Promise<void>,
): Promise<History> {
  const executed = new SharedArrayBuffer(MOST_CALLS * 4);
  const counts = new Int32Array(executed);
  const ranOn = new SharedArrayBuffer(MOST_CALLS * 4);
  const threads = new Int32Array(ranOn);
  const handle = await serve.run(
    victim.options({ gracefulShutdownTimeoutMs: 200, ...options }).bind(executed, ranOn),
  );
  const outcomes = new Map<number, string>();
  let accepted = 0;
  let stop = false;
  const caller = async (): Promise<void> => {
    while (!stop) {
      const call = accepted++;
      const outcome = await handle.work.remote(call).then(
        (echo) => (echo === call ? 'ok' : `the result of call ${echo}`),
        (error: ServeError) => error.code ?? String(error),
      );
      expect(outcomes.has(call)).toBe(false);
      outcomes.set(call, outcome);
      // A caller that retries at once would leave the event loop no turn.
      if (outcome !== 'ok') await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const callers = Array.from({ length: CALLERS }, caller);
  // The calls of the callers may time out on a busy machine; these may not.
  const patient = handle.options({ timeoutMs: 60_000 });
  await patient.work.remote(MOST_CALLS - 1);
  await fault(handle);
  await patient.work.remote(MOST_CALLS - 2);
  stop = true;
  await Promise.all(callers);
  expect(accepted).toBeLessThan(MOST_CALLS - 2);
  expect(outcomes.size).toBe(accepted);
  for (const [call, outcome] of outcomes) {
    expect(['ok', 'SERVE_REPLICA_DIED', 'SERVE_TIMEOUT', 'SERVE_BACKPRESSURE']).toContain(outcome);
    const runs = Atomics.load(counts, call);
    if (outcome === 'ok') expect(runs).toBe(1);
    else expect(runs).toBeLessThanOrEqual(1);
  }
  const report = serve.status().apps['Victim']?.deployments['Victim'];
  expect(report?.queued).toBe(0);
  return {
    outcomes,
    threadsOf: (wanted) =>
      new Set(
        [...outcomes]
          .filter(([call, outcome]) => outcome === wanted && Atomics.load(counts, call) > 0)
          .map(([call]) => Atomics.load(threads, call)),
      ),
  };
}

/** Two replicas: what happens to one must not reach the other. */
export const PAIR = { numReplicas: 2, maxOngoingRequests: 32 };

/** The code of a call's error, or `ok`. */
export async function code(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'ok',
    (error: ServeError) => error.code,
  );
}

/** How many calls had an outcome. */
export function count({ outcomes }: History, wanted: string): number {
  return [...outcomes.values()].filter((outcome) => outcome === wanted).length;
}
