import type { RunTimes } from './run-times.ts';

/** The part of its best chance that a call must still have while most calls are served, however many others wait. */
const MOST_NEEDED = 0.95;

/** What the decision needs of a waiting call. Times of `clock.now()`. */
export interface Waiter {
  readonly readyAt: number;
  /** 0 = none. */
  readonly expiresAt: number;
}

/**
 * Whether a waiting call is not worth a place at a replica any more: it would probably end after its deadline.
 *
 * Its chance to end in time is compared with the chance that it had when it came, which is what the others that wait have
 * at most. With n calls waiting, n / (n + 1) of it must be left: the more calls could have the place, the less is lost
 * with this one. In a burst that can be served, nearly all of them will have one (docs/decisions/021-doomed-calls.md).
 *
 * @param waiting calls that this one competes with for its place, itself included
 * @param isOverloaded most calls are turned away anyway
 * @param times undefined while nothing is known of its method
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
  const chance = times.chance(left);
  const best = times.bestChance(call.expiresAt - call.readyAt);
  const needed = Math.min(waiting / (waiting + 1), isOverloaded ? 1 : MOST_NEEDED);
  return (chance === 0 || chance < needed * best) && !times.isInDoubt(at);
}
