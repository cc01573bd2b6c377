import type { ObservedReplica } from '../../../controller/reconcile.ts';
import type { ReplicaStatus } from '../../../controller/status.ts';
import type { ManagedReplica } from '../../../isolation/managed-replica.ts';
import { describeHolding } from '../../../load/holding.ts';

type Replicas = Iterable<ManagedReplica>;

/** Replicas that have not been told to stop, as the controller sees them. */
export function observe(replicas: Replicas): ObservedReplica[] {
  return [...replicas]
    .filter(({ state }) => state === 'STARTING' || state === 'RUNNING')
    .map(({ replicaId, fingerprint, isUnfit, isRoutable, startedAt, load }) => ({
      id: replicaId,
      fingerprint: isUnfit ? 'unfit' : fingerprint,
      isRunning: isRoutable,
      startedAt,
      ongoing: load.ongoing,
    }));
}

/** Counts of the replicas that have not been told to stop. */
export interface Census {
  readonly live: number;
  /** Replicas of other versions, and those that are about to be replaced. */
  readonly old: number;
  /** Replicas of the version that take calls. */
  readonly running: number;
}

export function census(replicas: Replicas, version: string): Census {
  const observed = observe(replicas);
  const current = observed.filter(({ fingerprint }) => fingerprint === version);
  const running = current.filter(({ isRunning }) => isRunning).length;
  return { live: observed.length, old: observed.length - current.length, running };
}

/** Number of replicas by state. */
export function countStates(replicas: Replicas): Record<string, number> {
  const states: Record<string, number> = {};
  for (const { state } of replicas) states[state] = (states[state] ?? 0) + 1;
  return states;
}

export function describeReplicas(replicas: Replicas): ReplicaStatus[] {
  return [...replicas].map((replica) => {
    const { replicaId, state, instanceId, version, rank, load, isStuck, progress } = replica;
    return {
      id: replicaId,
      state: isStuck ? 'STUCK' : state,
      ...(state === 'STARTING' && progress !== undefined && { message: progress }),
      instance: instanceId,
      version,
      startedAt: replica.createdAt,
      rank,
      ongoing: load.ongoing,
      utilization: load.utilization,
      memoryBytes: replica.memoryBytes,
      models: load.models.keepsModels ? load.models.count : undefined,
    };
  });
}

/** Scheduling of the calls, if they hold the event loops of their replicas. */
export function describeScheduling(replicas: Replicas, deployment: string): string | undefined {
  const running = [...replicas].filter(({ state, load }) => state === 'RUNNING' && load.meanHoldingMs > 0);
  const mean = (of: (replica: ManagedReplica) => number): number =>
    running.reduce((sum, replica) => sum + of(replica), 0) / Math.max(1, running.length);
  return describeHolding(deployment, {
    meanHoldingMs: mean(({ load }) => load.meanHoldingMs),
    utilization: mean(({ load }) => load.utilization),
  });
}
