/**
 * The entry of every replica's thread. A bundled app copies it next to its bundle, as `inserve/worker`.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DeploymentLoad } from '../../load/deployment-load.ts';
import { ReplicaLoad } from '../../load/load-table.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import { enterReplicaAgent } from '../../replica/current-thread.ts';
import { adaptGlobals } from '../../replica/ingress/request.ts';
import { ReplicaAgent } from '../../replica/replica-agent.ts';
import { adoptEpoch } from '../../time/clock.ts';
import { createInlineChannel } from '../inline/inline-channel.ts';
import { joinPool } from './poolifier-handshake.ts';
import type { ThreadInit } from './thread-init.ts';

const init = workerData as ThreadInit;
if (parentPort === null || init?.control === undefined) {
  throw new TypeError('inserve/worker is the entry of replica threads; it is not meant to be imported');
}

adoptEpoch(init.epoch);
adaptGlobals();
const { control } = init;
const agent = new ReplicaAgent(
  init,
  {
    post: (message) => control.postMessage(message),
    listen: (receive) => void control.on('message', receive),
    unref: () => control.unref(),
  },
  {
    load: new ReplicaLoad(init.load),
    deploymentLoad: new DeploymentLoad(init.deploymentLoad),
    tally: new ReplicaTally(init.tally),
  },
  createInlineChannel,
);
enterReplicaAgent(agent.router);

if (init.isPooled) joinPool(parentPort);
void agent.start();
