import { setTimeout as sleep } from 'node:timers/promises';
import { createServe, type DeploymentHandle, type DeploymentOptions } from 'inserve';
import { allRunning } from '../harness/all-running.ts';
import { median } from '../harness/statistics.ts';
import { type Computer, ComputerDeployment } from './deployments.ts';

export interface Serving {
  readonly handle: DeploymentHandle<typeof Computer>;
  readonly replicas: number;
  close(): Promise<void>;
}

/** After a failed look whether the replicas are idle. */
const IDLE_RETRY_MS = 20;
const WARM_UP_MS = 400;

/**
 * Some replicas of `Computer` with the defaults that users get, running and warm: they have seen calls as long as those
 * that follow, and so has whoever estimates how long calls take.
 */
export async function serving(
  replicas: number,
  warmUpSteps: number,
  options: DeploymentOptions = {},
): Promise<Serving> {
  const serve = createServe();
  const handle = await serve.run(ComputerDeployment.options({ numReplicas: replicas, ...options }).bind());
  await allRunning(serve);
  for (const end = performance.now() + WARM_UP_MS; performance.now() < end; ) {
    await together(handle, replicas, warmUpSteps);
  }
  return { handle, replicas, close: () => serve.close() };
}

/**
 * How many steps take so many ms as the replicas run now: where a deadline is met or missed by few milliseconds, the speed
 * of the machine some minutes ago is not good enough.
 * @param steps about as many
 * @param calls how many calls of each replica it is taken from
 */
export async function stepsOf(
  ms: number,
  { handle, replicas }: Serving,
  steps: number,
  calls: number,
): Promise<number> {
  const times: number[] = [];
  for (let call = 0; call < calls; call++) times.push(...(await together(handle, replicas, steps)));
  return (steps * ms) / median(times);
}

/** Resolves when all replicas have done what they had to do, including calls that their callers no longer wait for. */
export async function idle({ handle }: Serving): Promise<void> {
  for (;;) {
    try {
      await handle.broadcast('run', 0);
      return;
    } catch {
      // Its own deadline passed behind what the replicas still do.
      await sleep(IDLE_RETRY_MS);
    }
  }
}

/** A call for each replica at the same time; how many ms they computed. On a busy machine a deadline may pass. */
async function together(handle: Serving['handle'], replicas: number, steps: number): Promise<number[]> {
  const calls = await Promise.allSettled(Array.from({ length: replicas }, () => handle.run.remote(steps)));
  return calls.flatMap((call) => (call.status === 'fulfilled' ? [call.value] : []));
}
