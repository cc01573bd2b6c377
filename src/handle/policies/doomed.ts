import type { RunTimes } from './run-times.ts';

/**
 * Largest share of its best chance that a call must still have while most calls are served, however many others wait.
 */
const MOST_NEEDED = 0.95;

/** The properties of a waiting call that the decision needs; times of `clock.now()`. */
export interface Waiter {
  readonly readyAt: number;
  /** Deadline of the call; 0 = none. */
  readonly expiresAt: number;
}

/**
 * Whether a waiting call is not worth a place at a replica any more: it would probably end after its deadline.
 *
 * The call's chance to end in time is compared with its chance on arrival, which the other waiting calls do not exceed.
 * With n calls waiting, n / (n + 1) of that chance must be left: the more calls compete for the place, the less is lost
 * with this call. In a burst that can be served, nearly all calls get a place (docs/decisions/021-doomed-calls.md).
 *
 * @param waiting calls that this one competes with for its place, itself included
 * @param isOverloaded most calls are rejected anyway
 * @param times run times of the call's method; undefined while unknown
 */
export function isDoomed(
  call: Waiter,
  at: number,
  waiting: number,
  isOverloaded: boolean,
  times: RunTimes | undefined,
): boolean {
  if (call.expiresAt === 0) return false;
  const left = call.expiresAt - at;
  if (left <= 0) return true;
  if (times === undefined || !times.isKnown) return false;
  // Calls that were given up at short deadlines say nothing about one with much more time.
  if (times.isUnknownAt(left)) return false;
  const chance = times.chance(left);
  const best = times.bestChance(call.expiresAt - call.readyAt);
  const needed = Math.min(waiting / (waiting + 1), isOverloaded ? 1 : MOST_NEEDED);
  return (chance === 0 || chance < needed * best) && !times.isInDoubt(at);
}
