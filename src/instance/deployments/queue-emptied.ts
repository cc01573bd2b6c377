import type { DeploymentLoad } from '../../load/deployment-load.ts';
import { activeTime } from '../../time/active-time.ts';
import { within } from '../../time/timeout.ts';

/**
 * Resolves once no call waits that could still be served. Code that changes the result of `mayServe` calls
 * `load.endEmptiedWait()`.
 *
 * @param deadline time of `activeTime` at which the wait is given up
 */
export async function queueEmptied(
  load: DeploymentLoad | undefined,
  mayServe: () => boolean,
  deadline: number,
): Promise<void> {
  if (load === undefined) return;
  while (load.queued > 0 && mayServe()) {
    const leftMs = deadline - activeTime.now();
    if (leftMs <= 0) break;
    await within(leftMs, load.waitEmptied());
  }
  load.endEmptiedWait();
}
