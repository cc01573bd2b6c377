import type { MessagePort, WorkerOptions } from 'node:worker_threads';
import type { HostedDeployment, SpecOptions } from '../../deployment/app-spec.ts';
import type { ResourceLimits } from '../../deployment/options/deployment-options.ts';
import type { ReplicaInit } from '../../replica/control.ts';
import { clockEpoch } from '../../time/clock.ts';
import { pack } from '../../values/pack.ts';
import { threadFlags } from './exec-argv.ts';
import type { PooledThread, ThreadPool } from './thread.ts';
import { unmadeThread } from './unmade-thread.ts';

export interface ReplicaPlace {
  readonly instanceId: string;
  readonly replicaId: string;
  readonly rank: number;
  readonly gpus: readonly number[];
  readonly callerIndex: number;
  readonly isTracked: boolean;
  readonly app: string;
  /** Variables that come with what it has reserved. */
  readonly env: Readonly<Record<string, string>>;
}

/** Memory that the thread and the host share. */
type SharedTables = Pick<ReplicaInit, 'load' | 'deploymentLoad' | 'tally'>;

/** Starts the thread of a replica. */
export function launch(
  { env, ...place }: ReplicaPlace,
  spec: HostedDeployment,
  pool: ThreadPool,
  shared: SharedTables,
  control: MessagePort,
): PooledThread {
  const { options, source } = spec;
  const init: ReplicaInit = {
    ...place,
    ...shared,
    control,
    epoch: clockEpoch(),
    deployment: spec.name,
    module: source.module,
    exportName: source.exportName,
    args: source.args,
    userConfig: options.userConfig === undefined ? undefined : pack(options.userConfig, 'userConfig'),
    tickMs: tickPeriod(options.stuckAfterMs),
    healthCheckTimeoutMs: options.healthCheckTimeoutMs,
    logLevel: options.logging.level,
    idempotent: options.idempotent,
    isPooled: pool.isPooled,
  };
  const execArgv = threadFlags(process.execArgv);
  const threadOptions: WorkerOptions = {
    ...(execArgv && { execArgv }),
    workerData: init,
    transferList: [control],
    // Never shared with the host: a replica may have variables of its own.
    env: { ...process.env, ...env, ...source.env },
    resourceLimits: heapLimits(options),
    name: place.replicaId,
  };
  try {
    return pool.spawn(threadOptions);
  } catch (error) {
    return unmadeThread(error);
  }
}

/** No thread comes up with less. */
const LEAST_HEAP_MB = 32;

/** What was reserved for a replica bounds its heap, unless its deployment says otherwise. */
function heapLimits({ resourceLimits, resources: { memoryMb = 0 } }: SpecOptions): ResourceLimits {
  if (memoryMb === 0) return resourceLimits;
  return { maxOldGenerationSizeMb: Math.max(LEAST_HEAP_MB, Math.ceil(memoryMb)), ...resourceLimits };
}

/** Of the event loop's sign of life, in ms. */
export function tickPeriod(stuckAfterMs: number): number {
  return Math.max(10, Math.min(250, stuckAfterMs / 4));
}
