import type { DeploymentLoad } from '../../load/deployment-load.ts';
import { activeTime } from '../../time/active-time.ts';

/**
 * Resolves once no call waits that could still be served.
 *
 * @param deadline time of `activeTime` at which it is given up
 */
export async function queueEmptied(
  load: DeploymentLoad | undefined,
  mayServe: () => boolean,
  deadline: number,
): Promise<void> {
  while (load !== undefined && load.queued > 0 && mayServe() && activeTime.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
