import { DOCUMENT_FORMAT, type Plan } from '../../documents.ts';
import type { Merged } from './merge.ts';
import type { PlannedDeployment } from './planner.ts';

/** The content of a plan, before the plan has a number. */
export type PlanContent = Pick<
  Plan,
  'generation' | 'previousTotal' | 'instances' | 'counts' | 'ending' | 'shares'
>;

/** The trials that can take calls: each of their deployments runs somewhere. */
export function runningTrials(
  { trials, deployments: desired }: Merged,
  planned: readonly PlannedDeployment[],
): PlanContent['shares'] {
  const isDown = (app: string): boolean =>
    desired.some(
      (one, index) => one.app === app && ((planned[index]?.running.size ?? 0) === 0 || one.isDeleted),
    );
  return Object.fromEntries(Object.entries(trials).filter(([, { app }]) => !isDown(app)));
}

/** Whether a plan says the same already. */
export function isSameContent(content: PlanContent, plan: Plan | undefined): boolean {
  if (plan === undefined) return false;
  if (!isSameList(content.instances, plan.instances) || !isSameList(content.ending, plan.ending))
    return false;
  const keys = Object.keys(content.counts);
  if (keys.length !== Object.keys(plan.counts).length) return false;
  if (!keys.every((key) => isSameList(content.counts[key] ?? [], plan.counts[key]))) return false;
  return JSON.stringify(content.shares) === JSON.stringify(plan.shares);
}

function isSameList<T>(a: readonly T[], b: readonly T[] | undefined): boolean {
  return a.length === b?.length && a.every((value, index) => value === b[index]);
}

/** Completes a plan from its content. */
export function planOf(
  content: PlanContent,
  number: number,
  token: number,
  owner: string,
  format: number = DOCUMENT_FORMAT,
): Plan {
  return { format, number, token, owner, ...content };
}
