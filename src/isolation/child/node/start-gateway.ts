import type { ResourceLimits } from '../../../deployment/options/deployment-options.ts';
import type { AgentControl, ReplicaInit } from '../../../replica/control.ts';
import { clockEpoch } from '../../../time/clock.ts';
import { gpusInChild } from '../child-environment.ts';
import { ChildLife } from '../child-life.ts';
import { ChildProcess } from '../child-process.ts';
import { limitMemory } from '../memory-limit.ts';
import { childEnvironment, childFlags } from './child-command.ts';
import { Gateway, type GatewayTables } from './gateway.ts';

/** A replica's child process, as its thread is told of it. */
export interface NodeChildOptions {
  readonly kind: 'node';
  /** Limits of the child's heap. */
  readonly limits: ResourceLimits;
  readonly maxOngoingRequests: number;
  /** Memory that is reserved for the replica, in MiB; 0 = none. */
  readonly memoryMb: number;
}

/**
 * Spawns the child of this thread's replica, and serves the replica with it.
 *
 * @param entry file of the worker entry, which is the entry of the child as well
 */
export function startGateway(
  init: ReplicaInit,
  { limits, maxOngoingRequests, memoryMb }: NodeChildOptions,
  control: AgentControl,
  tables: GatewayTables,
  entry: string,
): void {
  const child = new ChildProcess({
    file: process.execPath,
    args: [...childFlags(process.execArgv, limits), entry],
    env: childEnvironment(process.env),
    secondPipe: 'lifeline',
    onOutput: (stream, bytes) => void process[stream].write(bytes),
  });
  if (memoryMb > 0) limitMemory(child, memoryMb);
  const life = new ChildLife(child, control, () => process.exit());
  const gpus = gpusInChild(init.gpus);
  new Gateway(
    { ...init, gpus, epoch: clockEpoch(), maxOngoingRequests },
    control,
    tables,
    child,
    life,
  ).start();
}
