/**
 * The entry of every replica's thread, and of the child processes that run user code for such threads. A bundled app copies
 * it next to its bundle, as `inserve/worker`.
 */
import { isMainThread, type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { InlineLink } from '../../handle/routing/link.ts';
import { threadConnector } from '../../handle/routing/thread-link.ts';
import { DeploymentLoad } from '../../load/deployment-load.ts';
import { ReplicaLoad } from '../../load/load-table.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import type { AgentControl } from '../../replica/control.ts';
import { enterReplicaAgent } from '../../replica/current-thread.ts';
import { adaptGlobals } from '../../replica/ingress/request.ts';
import { ReplicaAgent } from '../../replica/replica-agent.ts';
import { adoptEpoch } from '../../time/clock.ts';
import { CHILD_MARK } from '../child/node/child-command.ts';
import { PythonLoad } from '../child/python/python-load.ts';
import { pythonSource } from '../child/python/python-source.ts';
import { createInlineChannel } from '../inline/inline-channel.ts';
import { joinPool } from './poolifier-handshake.ts';
import type { ThreadInit } from './thread-init.ts';

if (isMainThread && process.env[CHILD_MARK] !== undefined) void startChild();
else startThread(workerData as ThreadInit | undefined, parentPort);

async function startChild(): Promise<void> {
  delete process.env[CHILD_MARK];
  const { runChild } = await import('../child/node/child-main.ts');
  runChild();
}

function startThread(init: ThreadInit | undefined, parent: MessagePort | null): void {
  if (parent === null || init?.control === undefined)
    throw new TypeError('inserve/worker is the entry of replica threads; it is not meant to be imported');
  adoptEpoch(init.epoch);
  if (init.isPooled) joinPool(parent);
  if (init.child === undefined) adaptGlobals();
  void startReplica(init);
}

/** Only threads of replicas in processes load what spawns a process. */
async function startReplica(init: ThreadInit): Promise<void> {
  const {
    control: port,
    load,
    deploymentLoad,
    tally,
    isPooled: _,
    epoch: __,
    child,
    python,
    ...replica
  } = init;
  const control: AgentControl = {
    post: (message) => port.postMessage(message),
    listen: (receive) => void port.on('message', receive),
    unref: () => port.unref(),
  };
  const tables = {
    load: python === undefined ? new ReplicaLoad(load) : new PythonLoad(load),
    deploymentLoad: new DeploymentLoad(deploymentLoad),
    tally: new ReplicaTally(tally),
  };
  if (child !== undefined) {
    const { startGateway } = await import('../child/node/start-gateway.ts');
    startGateway(replica, child, control, tables, process.argv[1] ?? '');
    return;
  }
  const source = python && pythonSource(python, control, tables.load);
  const connectors = {
    thread: threadConnector,
    inline: { connect: (link: InlineLink) => createInlineChannel(link) },
  };
  const agent = new ReplicaAgent(replica, control, tables, connectors, source);
  enterReplicaAgent(agent.router);
  void agent.start();
}
