import { within } from '../time/timeout.ts';
import type { ControlLink } from './control-link.ts';

/** A replica that has not answered by then has an event loop that does not turn, in ms. */
const ANSWER_MS = 2_000;
/** Limit of the work that may be under way at the end of a replica, in ms. */
export const RUN_DRY_MS = 60_000;
/** The same where user code left timers or sockets open: the replica does not end by itself, done or not. */
const LEFTOVERS_MS = 2_000;

/**
 * Lets a replica end by itself, if its event loop turns: to force it while the native work of an addon is under way takes the
 * process with it. Afterwards the replica is gone, or may be forced.
 *
 * @param gone resolves when the replica is gone
 * @param limit of a wait, given its longest, in ms. Does not bound the wait for native work.
 */
export async function endInOrder(
  control: ControlLink,
  gone: Promise<void>,
  limit: (most: number) => number,
): Promise<void> {
  try {
    const { hasLeftovers, hasAddons } = await control.retire(limit(ANSWER_MS));
    if (hasAddons) await within(hasLeftovers ? LEFTOVERS_MS : RUN_DRY_MS, gone);
    // Without addons nothing can happen to the process.
    else if (!hasLeftovers) await within(limit(RUN_DRY_MS), gone);
  } catch {
    // The event loop does not turn, or the replica is gone.
  }
}
