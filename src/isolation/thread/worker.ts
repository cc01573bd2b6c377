/**
 * The entry of every replica's thread. A bundled app copies it next to its bundle, as `inserve/worker`.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { DeploymentLoad } from '../../load/deployment-load.ts';
import { ReplicaLoad } from '../../load/load-table.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import type { AgentControl } from '../../replica/control.ts';
import { enterReplicaAgent } from '../../replica/current-thread.ts';
import { adaptGlobals } from '../../replica/ingress/request.ts';
import { ReplicaAgent } from '../../replica/replica-agent.ts';
import { adoptEpoch } from '../../time/clock.ts';
import { pythonSource } from '../child/python/python-source.ts';
import { createInlineChannel } from '../inline/inline-channel.ts';
import { joinPool } from './poolifier-handshake.ts';
import type { ThreadInit } from './thread-init.ts';

const init = workerData as ThreadInit;
if (parentPort === null || init?.control === undefined) {
  throw new TypeError('inserve/worker is the entry of replica threads; it is not meant to be imported');
}

adoptEpoch(init.epoch);
adaptGlobals();
if (init.isPooled) joinPool(parentPort);
start(init);

function start({ control: port, python, ...rest }: ThreadInit): void {
  const control: AgentControl = {
    post: (message) => port.postMessage(message),
    listen: (receive) => void port.on('message', receive),
    unref: () => port.unref(),
  };
  const tables = {
    load: new ReplicaLoad(rest.load),
    deploymentLoad: new DeploymentLoad(rest.deploymentLoad),
    tally: new ReplicaTally(rest.tally),
  };
  const source = python && pythonSource(python, control, tables.load);
  const agent = new ReplicaAgent(rest, control, tables, createInlineChannel, source);
  enterReplicaAgent(agent.router);
  void agent.start();
}
