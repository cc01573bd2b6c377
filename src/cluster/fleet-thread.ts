/**
 * The entry of an instance's fleet thread, which peers call and which the host's event loop cannot hold up. No user code runs
 * in it.
 */
import { workerData } from 'node:worker_threads';
import { adoptEpoch } from '../time/clock.ts';
import { packError } from '../values/pack.ts';
import { FleetAgent } from './fleet-agent.ts';
import type { FleetInit, FromFleet } from './fleet-control.ts';

const init = workerData as FleetInit;
if (init?.control === undefined) {
  throw new TypeError('this file is the entry of the fleet thread; it is not meant to be imported');
}

adoptEpoch(init.clock);
const agent = new FleetAgent(init);
agent.start().catch((error: unknown) => {
  init.control.postMessage({ type: 'failed', error: packError(error) } satisfies FromFleet);
  // The message has left once the port is closed.
  init.control.close();
});
