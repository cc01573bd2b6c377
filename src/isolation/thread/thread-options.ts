import type { WorkerOptions } from 'node:worker_threads';
import type { HostedDeployment, SpecOptions } from '../../deployment/app-spec.ts';
import type { ResourceLimits } from '../../deployment/options/deployment-options.ts';
import { ISOLATIONS } from '../../deployment/options/isolations.ts';
import { clockEpoch } from '../../time/clock.ts';
import { pack } from '../../values/pack.ts';
import { withoutSecrets } from '../child/child-environment.ts';
import type { NodeChildOptions } from '../child/node/start-gateway.ts';
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
    child: source.python === undefined ? childOptions(options) : undefined,
  };
  const execArgv = threadFlags(process.execArgv);
  return {
    ...(execArgv && { execArgv }),
    workerData: init,
    transferList: [shared.control],
    // The environment is never shared with the host: a replica may have variables of its own.
    env: { ...withoutSecrets(process.env), ...env, ...source.env },
    resourceLimits: threadLimits(spec),
    name: place.replicaId,
  };
}

/** Limits of the thread. The memory that is reserved for a replica in a process is that of the process. */
function threadLimits({ options, source }: HostedDeployment): ResourceLimits {
  if (source.python !== undefined) return options.resourceLimits;
  return ISOLATIONS[options.isolation].hasProcess ? {} : heapLimits(options);
}

/** The child process of a deployment with the isolation `process`. Its heap is limited, not that of the thread. */
function childOptions(options: SpecOptions): NodeChildOptions | undefined {
  if (!ISOLATIONS[options.isolation].hasProcess) return undefined;
  const { maxOngoingRequests, resources } = options;
  const { memoryMb = 0 } = resources;
  return { kind: 'node', limits: heapLimits(options), maxOngoingRequests, memoryMb };
}

/** The smallest heap with which a thread starts, in MiB. */
const LEAST_HEAP_MB = 32;

/** The memory that is reserved for a replica bounds its heap, unless its deployment sets other limits. */
function heapLimits({ resourceLimits, resources: { memoryMb = 0 } }: SpecOptions): ResourceLimits {
  if (memoryMb === 0) return resourceLimits;
  return { maxOldGenerationSizeMb: Math.max(LEAST_HEAP_MB, Math.ceil(memoryMb)), ...resourceLimits };
}
