import { isNewer, type Plan, totalOf } from '../documents.ts';

/** Largest share of the fleet's replicas that a plan may remove; one replica is always allowed. */
const MAX_REMOVED_SHARE = 0.5;

export type Verdict = { readonly isObeyed: true } | { readonly isObeyed: false; readonly reason: string };

/** Number of replicas that one plan may remove. The leader respects the limit, and every receiver checks it. */
export function removalsAllowed(total: number): number {
  return Math.max(1, Math.floor(total * MAX_REMOVED_SHARE));
}

/** Number of replicas that a plan removes from the instances that it was made for. */
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
  if (plan.token < floor) return refused(`the token ${plan.token} is lower than ${floor}`);
  if (!isNewer(plan, current)) return refused(`number ${plan.number} is not newer than ${current?.number}`);
  const isSuccessor = current !== undefined && plan.number === current.number + 1;
  const before = isSuccessor ? totalOf(current) : plan.previousTotal;
  const removed = isSuccessor ? removedBy(plan, current) : plan.previousTotal - totalOf(plan);
  const allowed = removalsAllowed(before);
  if (removed > allowed)
    return refused(`the plan removes ${removed} of ${before} replicas at once, more than ${allowed}`);
  return { isObeyed: true };
}

function refused(reason: string): Verdict {
  return { isObeyed: false, reason };
}

export interface LastReplica {
  readonly deployment: string;
  readonly planned: number;
  /** Number of replicas that run here. */
  readonly running: number;
  /** Number of replicas that run on linked instances. */
  readonly elsewhere: number;
}

/** Returns the target count: the last visible replica of a deployment stays until another one runs. */
export function keepLast(
  { deployment, planned, running, elsewhere }: LastReplica,
  plan: Plan | undefined,
): number {
  const isLast = planned === 0 && running > 0 && elsewhere === 0;
  return isLast && plan?.ending.includes(deployment) !== true ? 1 : planned;
}
