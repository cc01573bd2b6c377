import type { MessagePort } from 'node:worker_threads';
import type { ReplicaInit } from '../../replica/control.ts';
import type { NodeChildOptions } from '../child/node/start-gateway.ts';

/** The `workerData` of a replica's thread: the replica's own data, and the thread's ends of the memory shared with the host. */
export interface ThreadInit extends ReplicaInit {
  readonly control: MessagePort;
  readonly epoch: bigint;
  readonly load: SharedArrayBuffer;
  readonly deploymentLoad: SharedArrayBuffer;
  readonly tally: SharedArrayBuffer;
  /** The process that runs the user's code for the thread; undefined: the thread runs the code. */
  readonly child: NodeChildOptions | undefined;
  /** Whether the thread belongs to a poolifier pool and answers its handshakes. */
  readonly isPooled: boolean;
}
