import type { OverrideChange } from '../../cluster/node/overrides.ts';
import type { Change } from '../../store/store.ts';

/**
 * The change of the whole fleet that a change of this instance's desired state stands for; undefined for what concerns the
 * instance alone.
 */
export function fleetChange(change: Change): OverrideChange | undefined {
  if (change.type !== 'scale' || change.scale === undefined) return undefined;
  return { kind: 'scale', deployment: change.key, scale: change.scale };
}
