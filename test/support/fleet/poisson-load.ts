import type { DeploymentHandle } from '../../../src/index.ts';
import { seededRandom } from '../../../src/testing/random.ts';
import type { Probe } from '../../fixtures/calls/fleet.ts';

/** What became of the calls of a load. */
export interface LoadResult {
  readonly calls: number;
  /** Calls that failed, by the code of the error. */
  readonly failed: Readonly<Record<string, number>>;
  /** Sum of the times from the call to its answer, less the time that the replica ran it, in ms. */
  readonly waitSumMs: number;
  /** The longest of these times. */
  readonly longestMs: number;
}

export interface PoissonLoad {
  readonly perSecond: number;
  readonly seconds: number;
  /** Time that a replica holds each call, in ms. */
  readonly ms: number;
  readonly seed: number;
}

/** Makes calls at random times, however long they take. Resolves once all of them have ended. */
export async function poissonLoad(
  handle: DeploymentHandle<Probe>,
  { perSecond, seconds, ms, seed }: PoissonLoad,
): Promise<LoadResult> {
  const random = seededRandom(seed);
  const failed: Record<string, number> = {};
  let waitSumMs = 0;
  let longestMs = 0;
  const call = async (): Promise<void> => {
    const begunAt = performance.now();
    try {
      const ranMs = await handle.holdTimed.remote(ms);
      const waitMs = performance.now() - begunAt - ranMs;
      waitSumMs += waitMs;
      longestMs = Math.max(longestMs, waitMs);
    } catch (error) {
      const code = String(Reflect.get(error as object, 'code'));
      failed[code] = (failed[code] ?? 0) + 1;
    }
  };
  const open: Promise<void>[] = [];
  const startedAt = performance.now();
  const end = startedAt + seconds * 1_000;
  for (let next = startedAt; next < end; next += (-Math.log(1 - random()) / perSecond) * 1_000) {
    const pause = next - performance.now();
    // Timers are late: what is due meanwhile follows at once.
    if (pause > 1) await new Promise((resolve) => setTimeout(resolve, pause));
    open.push(call());
  }
  await Promise.all(open);
  return { calls: open.length, failed, waitSumMs, longestMs };
}
