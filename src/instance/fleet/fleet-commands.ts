import type { OverrideChange } from '../../cluster/node/overrides.ts';
import { namesOf } from '../../handle/routing/directory.ts';
import type { Snapshot } from '../../store/snapshot.ts';
import type { Change } from '../../store/store.ts';

/**
 * The change of the whole fleet that a change of this instance's desired state stands for; undefined for what concerns the
 * instance alone.
 */
export function fleetChange(
  change: Change,
  { declarations }: Snapshot,
  instanceId: string,
): OverrideChange | undefined {
  if (change.type === 'capacity') {
    const { percent } = change.capacity;
    return { kind: 'deploy', options: {}, named: {}, percent, isSameApps: true };
  }
  if (change.type !== 'scale' || change.scale === undefined) return undefined;
  const { key, scale } = change;
  if ('replicas' in scale)
    return { kind: 'options', deployment: key, options: { numReplicas: scale.replicas } };
  const [app, deployment] = namesOf(key);
  const declared = declarations[instanceId]?.apps[app]?.deployments.find(({ name }) => name === deployment);
  const autoscaling = declared?.options.autoscaling;
  if (autoscaling === undefined) return undefined;
  const { min: minReplicas, max: maxReplicas } = scale;
  const options = { autoscaling: { ...autoscaling, minReplicas, maxReplicas } };
  return { kind: 'options', deployment: key, options };
}
