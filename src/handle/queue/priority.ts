/** Criticality of a call, most important first (the four classes of Google's SRE book, ch. 21). */
export const PRIORITIES = ['critical-plus', 'critical', 'sheddable-plus', 'sheddable'] as const;
/** Priority of a call. */
export type Priority = (typeof PRIORITIES)[number];

/** Rank of a priority, lower is more important: the order of the wait queue and the index of the shared counters. */
export function priorityRank(priority: Priority): number {
  return PRIORITIES.indexOf(priority);
}
