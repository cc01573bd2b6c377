import type { WorkerOptions } from 'node:worker_threads';
import type { HostedDeployment, SpecOptions } from '../../deployment/app-spec.ts';
import type { ResourceLimits } from '../../deployment/options/deployment-options.ts';
import { clockEpoch } from '../../time/clock.ts';
import { pack } from '../../values/pack.ts';
import { withoutSecrets } from '../child/child-environment.ts';
import type { ReplicaPlace } from '../replica-host.ts';
import { tickPeriod } from '../tick-period.ts';
import { threadFlags } from './exec-argv.ts';
import { isMainModule } from './main-module.ts';
import type { ThreadInit } from './thread-init.ts';

/** The thread's ends of the memory and ports shared with the host. */
type SharedEnds = Pick<ThreadInit, 'load' | 'deploymentLoad' | 'tally' | 'control' | 'isPooled'>;

/** Options of a replica's worker: its flags, environment, limits and initial data. */
export function threadOptions(
  { env, ...place }: ReplicaPlace,
  spec: HostedDeployment,
  shared: SharedEnds,
): WorkerOptions {
  const { options, source } = spec;
  const init: ThreadInit = {
    ...place,
    ...shared,
    epoch: clockEpoch(),
    deployment: spec.name,
    module: source.module,
    isMainModule: isMainModule(source.module),
    exportName: source.exportName,
    args: source.args,
    userConfig: options.userConfig === undefined ? undefined : pack(options.userConfig, 'userConfig'),
    tickMs: tickPeriod(options.stuckAfterMs),
    healthCheckTimeoutMs: options.healthCheckTimeoutMs,
    logLevel: options.logging.level,
    idempotent: options.idempotent,
    python: source.python,
  };
  const execArgv = threadFlags(process.execArgv);
  return {
    ...(execArgv && { execArgv }),
    workerData: init,
    transferList: [shared.control],
    // The environment is never shared with the host: a replica may have variables of its own.
    env: { ...withoutSecrets(process.env), ...env, ...source.env },
    // The memory that is reserved for a Python replica is that of its process.
    resourceLimits: source.python === undefined ? heapLimits(options) : options.resourceLimits,
    name: place.replicaId,
  };
}

/** The smallest heap with which a thread starts, in MiB. */
const LEAST_HEAP_MB = 32;

/** The memory that is reserved for a replica bounds its heap, unless its deployment sets other limits. */
function heapLimits({ resourceLimits, resources: { memoryMb = 0 } }: SpecOptions): ResourceLimits {
  if (memoryMb === 0) return resourceLimits;
  return { maxOldGenerationSizeMb: Math.max(LEAST_HEAP_MB, Math.ceil(memoryMb)), ...resourceLimits };
}
