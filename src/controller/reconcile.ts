/** What a deployment should be. */
export interface DesiredReplicas {
  /** What tells replicas that must be replaced from those that may stay. */
  readonly fingerprint: string;
  /** Replicas of that version. */
  readonly target: number;
  /** Shares of the target. */
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  /** No replica may be started now: back-off, or the version failed for good. */
  readonly isHeld: boolean;
  /** The version has not shown yet that it is good: all replicas of others stay. */
  readonly isOnTrial: boolean;
  /** New replicas fit nowhere, and nothing is on its way out: only others of the deployment can make room. */
  readonly isCramped: boolean;
}

/** A replica that has not been told to stop. */
export interface ObservedReplica {
  readonly id: string;
  readonly fingerprint: string;
  /** Starting replicas serve nobody yet. */
  readonly isRunning: boolean;
  /** Time of its start, in ms. */
  readonly startedAt: number;
  /** Calls that hold a place. */
  readonly ongoing: number;
}

export type ReplicaAction = { readonly type: 'start' } | { readonly type: 'stop'; readonly id: string };

/**
 * One step from what is to what should be. Surge first: new replicas of a version come up before old ones go, and never
 * fewer than `target × (1 − maxUnavailable)` run. Called again after every change until it answers nothing.
 */
export function reconcile(desired: DesiredReplicas, observed: readonly ObservedReplica[]): ReplicaAction[] {
  const current = observed.filter(({ fingerprint }) => fingerprint === desired.fingerprint);
  const old = observed.filter(({ fingerprint }) => fingerprint !== desired.fingerprint);
  return [
    ...starts(desired, current.length, old),
    ...stopsOfCurrent(desired, current),
    ...stopsOfOld(desired, current, old),
  ];
}

function starts(desired: DesiredReplicas, current: number, old: readonly ObservedReplica[]): ReplicaAction[] {
  if (desired.isHeld) return [];
  const { target } = desired;
  const surge = Math.max(1, Math.ceil(target * desired.maxSurge));
  // Old replicas that only start are on their way out (`stopsOfOld`) and count for nothing.
  const oldRunning = old.filter(({ isRunning }) => isRunning).length;
  // All of the old ones stay during the trial, even those that a smaller target makes too many.
  const base = desired.isOnTrial ? Math.max(target, oldRunning) : target;
  const ceiling = oldRunning === 0 ? target : base + surge;
  const count = Math.min(target - current, ceiling - current - oldRunning);
  return Array.from({ length: Math.max(0, count) }, () => ({ type: 'start' as const }));
}

/** Scale-down: those that do not run yet first, then those with the fewest calls to finish, then the newest. */
function stopsOfCurrent(desired: DesiredReplicas, current: readonly ObservedReplica[]): ReplicaAction[] {
  const surplus = current.length - desired.target;
  if (surplus <= 0) return [];
  const victims = [...current].sort(
    (a, b) =>
      Number(a.isRunning) - Number(b.isRunning) ||
      a.ongoing - b.ongoing ||
      b.startedAt - a.startedAt ||
      (a.id < b.id ? 1 : -1),
  );
  return victims.slice(0, surplus).map(({ id }) => ({ type: 'stop', id }));
}

/** Old versions go as the new one comes up; those that were only starting go at once. */
function stopsOfOld(
  desired: DesiredReplicas,
  current: readonly ObservedReplica[],
  old: readonly ObservedReplica[],
): ReplicaAction[] {
  const starting = old.filter(({ isRunning }) => !isRunning);
  const running = old.filter(({ isRunning }) => isRunning).sort((a, b) => a.startedAt - b.startedAt);
  const currentRunning = current.filter(({ isRunning }) => isRunning).length;
  const { target, isCramped } = desired;
  // With room for one more there is no need to have none, whatever is allowed.
  const least = target === 0 || isCramped ? 0 : 1;
  const floor = Math.max(least, Math.ceil(target * (1 - desired.maxUnavailable)));
  const spare = currentRunning + running.length - floor;
  const most = target === 0 ? running.length : Math.min(running.length, Math.max(0, spare));
  // One at a time makes room; its successor may have to show first that it is good.
  const leaving = isCramped ? Math.min(1, most) : desired.isOnTrial ? 0 : most;
  return [...starting, ...running.slice(0, leaving)].map(({ id }) => ({ type: 'stop', id }));
}
