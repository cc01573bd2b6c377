/**
 * The entry of every replica's thread. What a bundled app copies next to its bundle, as `inserve/worker`.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { ReplicaInit } from '../../replica/control.ts';
import { adaptGlobals } from '../../replica/ingress/request.ts';
import { ReplicaThread } from '../../replica/replica-thread.ts';
import { enterReplicaThread } from '../../replica/thread-role.ts';
import { adoptEpoch } from '../../time/clock.ts';
import { joinPool } from './pool-member.ts';

const init = workerData as ReplicaInit;
if (parentPort === null || init?.control === undefined) {
  throw new TypeError('inserve/worker is the entry of replica threads; it is not meant to be imported');
}

adoptEpoch(init.epoch);
adaptGlobals();
const thread = new ReplicaThread(init);
enterReplicaThread(thread.router);

if (init.isPooled) joinPool(parentPort);
void thread.start();
