import type { Member } from './membership.ts';
import type { NodeParts } from './node-parts.ts';

type DepartureParts = Pick<NodeParts, 'self' | 'membership' | 'declarations' | 'follower'>;

/**
 * Whether an instance that leaves still has replicas that must start elsewhere first. A deployment that no other instance
 * can run has nowhere to go: the instance waits only for its calls, which may come from peers.
 */
export function hasReplicasToHandOver(parts: DepartureParts): boolean {
  const { self, membership, follower } = parts;
  const staying = membership.alive().filter((member) => membership.stateOf(member) !== 'draining');
  if (staying.length === 0) return false;
  const aimed = Object.keys(follower.targets).filter((key) => (follower.targets[key] ?? 0) > 0);
  return [...new Set([...aimed, ...Object.keys(self.running)])].some((key) => {
    const { ongoing = 0, queued = 0 } = self.loads[key] ?? {};
    return ongoing + queued > 0 || staying.some((member) => mayRun(parts, member, key));
  });
}

/** Whether a member may run a deployment: one whose declaration is not known yet counts as able to. */
function mayRun({ declarations }: DepartureParts, { record }: Member, key: string): boolean {
  return record === undefined || declarations.places(record.declaration)?.has(key) !== false;
}
