/** The desired state of a deployment. */
export interface DesiredReplicas {
  /** Version of the code: replicas of another fingerprint must be replaced. */
  readonly fingerprint: string;
  /** Target number of replicas of that version. */
  readonly target: number;
  /** Limits of the update, as shares of the target. */
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  /** Whether starts are blocked: by the back-off, or because the version failed for good. */
  readonly isHeld: boolean;
  /** Whether the version has yet to prove itself: all replicas of other versions stay. */
  readonly isOnTrial: boolean;
  /** Whether new replicas fit nowhere and no replica is stopping: only other replicas of the deployment can make room. */
  readonly isCramped: boolean;
}

/** A replica that has not been told to stop. */
export interface ObservedReplica {
  readonly id: string;
  readonly fingerprint: string;
  /** Starting replicas serve no calls yet. */
  readonly isRunning: boolean;
  /** Time of its start, in ms. */
  readonly startedAt: number;
  /** Calls that hold a place. */
  readonly ongoing: number;
}

export type ReplicaAction = { readonly type: 'start' } | { readonly type: 'stop'; readonly id: string };

/**
 * One step from the actual state to the desired one. Surge first: new replicas come up before old ones stop, and never
 * fewer than `target × (1 − maxUnavailable)` run. Called again after every change until it returns no action.
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
  // Old replicas that are still starting will stop (`stopsOfOld`) and do not count.
  const oldRunning = old.filter(({ isRunning }) => isRunning).length;
  // All old replicas stay during the trial, even those that a smaller target makes superfluous.
  const base = desired.isOnTrial ? Math.max(target, oldRunning) : target;
  const ceiling = oldRunning === 0 ? target : base + surge;
  const count = Math.min(target - current, ceiling - current - oldRunning);
  return Array.from({ length: Math.max(0, count) }, () => ({ type: 'start' as const }));
}

/** Scale-down: replicas that do not run yet stop first, then those with the fewest calls to finish, then the newest. */
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

/** Replicas of old versions stop as the new one comes up; those that were only starting stop at once. */
function stopsOfOld(
  desired: DesiredReplicas,
  current: readonly ObservedReplica[],
  old: readonly ObservedReplica[],
): ReplicaAction[] {
  const starting = old.filter(({ isRunning }) => !isRunning);
  const running = old.filter(({ isRunning }) => isRunning).sort((a, b) => a.startedAt - b.startedAt);
  const currentRunning = current.filter(({ isRunning }) => isRunning).length;
  const { target, isCramped } = desired;
  // With room for one more replica there is no need to run none, whatever the options allow.
  const least = target === 0 || isCramped ? 0 : 1;
  const floor = Math.max(least, Math.ceil(target * (1 - desired.maxUnavailable)));
  const spare = currentRunning + running.length - floor;
  const most = target === 0 ? running.length : Math.min(running.length, Math.max(0, spare));
  // Replicas stop one at a time to make room; the successor may have to prove itself first.
  const leaving = isCramped ? Math.min(1, most) : desired.isOnTrial ? 0 : most;
  return [...starting, ...running.slice(0, leaving)].map(({ id }) => ({ type: 'stop', id }));
}
