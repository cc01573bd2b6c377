import { within } from '../time/timeout.ts';
import type { ControlLink } from './control-link.ts';

/** Time after which a replica without an answer is known to have a blocked event loop, in ms. */
const ANSWER_MS = 2_000;
/** Limit of the work under way at the end of a replica, in ms. */
export const RUN_DRY_MS = 60_000;
/** The same limit where user code left timers or sockets open: such a replica never ends by itself. */
const LEFTOVERS_MS = 2_000;

/**
 * Lets a replica end by itself if its event loop turns: a forced end while native work of an addon is under way takes the
 * process with it. Afterwards the replica is gone, or may be forced.
 *
 * @param gone resolves when the replica is gone
 * @param limit resolves after a wait, given its maximum in ms. Does not bound the wait for native work.
 */
export async function endInOrder(
  control: ControlLink,
  gone: Promise<void>,
  limit: (most: number) => number,
): Promise<void> {
  try {
    const { hasLeftovers, hasAddons } = await control.close(limit(ANSWER_MS));
    if (hasAddons) await within(hasLeftovers ? LEFTOVERS_MS : RUN_DRY_MS, gone);
    // Without addons a forced end cannot harm the process.
    else if (!hasLeftovers) await within(limit(RUN_DRY_MS), gone);
  } catch {
    // The event loop is blocked, or the replica is gone.
  }
}
