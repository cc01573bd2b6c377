import { isNewer, type Plan, totalOf } from '../documents.ts';

/** A plan may take away this share of the fleet's replicas, and one in any case. */
const MAX_REMOVED_SHARE = 0.5;

export type Verdict = { readonly isObeyed: true } | { readonly isObeyed: false; readonly reason: string };

/** How many replicas one plan may remove of so many. The leader keeps to it, and every receiver checks it. */
export function removalsAllowed(total: number): number {
  return Math.max(1, Math.floor(total * MAX_REMOVED_SHARE));
}

/** Replicas that a plan takes away from the instances that it was made for. */
export function removedBy(plan: Plan, before: Plan): number {
  let removed = 0;
  const position = new Map(before.instances.map((id, index) => [id, index]));
  for (const [key, counts] of Object.entries(plan.counts)) {
    const old = before.counts[key];
    if (old === undefined) continue;
    for (const [index, id] of plan.instances.entries()) {
      const count = old[position.get(id) ?? -1] ?? 0;
      removed += Math.max(0, count - (counts[index] ?? 0));
    }
  }
  return removed;
}

/**
 * Whether an instance obeys a plan: the leader only proposes.
 *
 * @param floor highest token that the instance has seen
 */
export function judge(plan: Plan, current: Plan | undefined, floor: number): Verdict {
  if (plan.token < floor) return refused(`its token ${plan.token} is lower than ${floor}`);
  if (!isNewer(plan, current)) return refused(`number ${plan.number} is not newer than ${current?.number}`);
  const isSuccessor = current !== undefined && plan.number === current.number + 1;
  const before = isSuccessor ? totalOf(current) : plan.previousTotal;
  const removed = isSuccessor ? removedBy(plan, current) : plan.previousTotal - totalOf(plan);
  const allowed = removalsAllowed(before);
  if (removed > allowed)
    return refused(`it removes ${removed} of ${before} replicas at once, more than ${allowed}`);
  return { isObeyed: true };
}

function refused(reason: string): Verdict {
  return { isObeyed: false, reason };
}

export interface LastReplica {
  readonly deployment: string;
  readonly planned: number;
  /** Replicas that run here. */
  readonly running: number;
  /** Replicas that run on instances to which there is a link. */
  readonly elsewhere: number;
}

/** The count to aim at: the last replica of a deployment that anybody can see stays until another one runs. */
export function keepLast(
  { deployment, planned, running, elsewhere }: LastReplica,
  plan: Plan | undefined,
): number {
  const isLast = planned === 0 && running > 0 && elsewhere === 0;
  return isLast && plan?.ending.includes(deployment) !== true ? 1 : planned;
}
