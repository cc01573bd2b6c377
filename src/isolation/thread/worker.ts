/**
 * The entry of every replica's thread. What a bundled app copies next to its bundle, as `inserve/worker`.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { ReplicaInit } from '../../replica/control.ts';
import { enterReplicaAgent } from '../../replica/current-thread.ts';
import { adaptGlobals } from '../../replica/ingress/request.ts';
import { ReplicaAgent } from '../../replica/replica-agent.ts';
import { adoptEpoch } from '../../time/clock.ts';
import { createInlineChannel } from '../inline/inline-channel.ts';
import { joinPool } from './poolifier-handshake.ts';

const init = workerData as ReplicaInit;
if (parentPort === null || init?.control === undefined) {
  throw new TypeError('inserve/worker is the entry of replica threads; it is not meant to be imported');
}

adoptEpoch(init.epoch);
adaptGlobals();
const thread = new ReplicaAgent(init, createInlineChannel);
enterReplicaAgent(thread.router);

if (init.isPooled) joinPool(parentPort);
void thread.start();
