/**
 * The entry of every replica's thread. What a bundled app copies next to its bundle, as `inserve/worker`.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { adoptEpoch } from '../time/clock.ts';
import type { ReplicaInit } from './control.ts';
import { adaptGlobals } from './ingress/request.ts';
import { ReplicaThread } from './replica-thread.ts';
import { enterReplicaThread } from './thread-role.ts';

const init = workerData as ReplicaInit;
if (parentPort === null || init?.control === undefined) {
  throw new TypeError('inserve/worker is the entry of replica threads; it is not meant to be imported');
}

adoptEpoch(init.epoch);
adaptGlobals();
const thread = new ReplicaThread(init);
enterReplicaThread(thread.router);

async function main(): Promise<void> {
  if (init.isPooled) {
    const { ThreadWorker } = await import('poolifier');
    // Only its ready and kill handshakes are used; calls have channels of their own.
    new ThreadWorker(() => {});
  }
  await thread.start();
}

void main();
