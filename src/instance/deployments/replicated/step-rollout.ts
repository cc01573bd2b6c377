import type { HostedDeployment } from '../../../deployment/app-spec.ts';
import type { UpdateBarrier } from '../update-barrier.ts';
import type { ReplicaHistory } from './replica-history.ts';
import type { RolloutSight } from './rollout.ts';

/** State of the deployment that a step needs. */
type Sight = Omit<RolloutSight, 'observeMs' | 'othersReady'> & {
  /** Whether replicas are being sent another user config. */
  readonly isReconfiguring: boolean;
};

/**
 * Advances the rollout of a deployment, and tells the barrier once the deployment no longer depends on its old replicas.
 * @returns the fault of the new version
 */
export function stepRollout(
  history: ReplicaHistory,
  barrier: UpdateBarrier | undefined,
  { name, options }: HostedDeployment,
  { isReconfiguring, ...sight }: Sight,
): string | undefined {
  const { rollout } = history;
  if (rollout === undefined || barrier === undefined) {
    if (sight.running >= Math.min(1, sight.target) && !isReconfiguring) barrier?.arrived(name);
    return undefined;
  }
  const { fault, isProved } = rollout.step({
    ...sight,
    observeMs: barrier.isWatched ? options.rollout.observeMs : 0,
    // A version that is being restored takes over at once.
    othersReady: barrier.isOpen || !barrier.isWatched,
  });
  if (fault === undefined && isProved) barrier.arrived(name);
  if (rollout.isDone) history.rollout = undefined;
  return fault;
}
