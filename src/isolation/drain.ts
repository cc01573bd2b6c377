import type { OpenCalls } from '../replica/control.ts';
import { activeTime } from '../time/active-time.ts';
import { now } from '../time/clock.ts';
import { within } from '../time/timeout.ts';

/** Limits of the time that a stopping replica has for its calls. */
export interface DrainLimits {
  /** Grace for all calls, in ms. */
  readonly graceMs: number;
  /** If set, calls may take as long as their deadlines allow when that is longer than the grace. In ms, 0 = no deadline. */
  readonly promised?: { readonly requestTimeoutMs: number; readonly streamTimeoutMs: number };
}

/** Minimum time for the end of a thread when its calls used up the grace: a fixed time in ms, and this share of the grace. */
const LEAST_END_MS = 50;
const END_SHARE = 1 / 20;

/**
 * Time for the destructor and the end of a thread: the rest of the grace after the calls.
 *
 * @param since time of `activeTime` at which the grace began
 * @param most maximum in ms
 */
export function endLimit({ graceMs, promised }: DrainLimits, since: number, most: number): number {
  if (promised !== undefined) return most;
  const left = graceMs - (activeTime.now() - since);
  return Math.min(most, Math.max(left, graceMs * END_SHARE, LEAST_END_MS));
}

/** The calls of a stopping replica. */
export interface Draining {
  /** Asks the replica for its running calls; it answers as soon as its event loop turns. */
  openCalls(): Promise<OpenCalls>;
  /** Resolves when the last call has ended, or the replica is dead. */
  callsOver(): Promise<void>;
}

/** A caller gives up at most one tick of its wheel after the deadline, and is told of that instead of the replica's end. */
const SLACK_MS = 100;
/** Limit of the last question, in ms: a computing replica does not answer. */
const ANSWER_MS = 1_000;

/**
 * Waits for the calls of a replica that accepts no more: for the grace, and beyond it until the last of their deadlines. Only
 * the replica knows these, so it is asked at the start, and once more before the wait ends, for calls that were on their
 * way at the start. Until it answers, the longest possible duration of a call counts. Pauses of the process do not count.
 */
export async function callsEnded(replica: Draining, { graceMs, promised }: DrainLimits): Promise<void> {
  const from = activeTime.now();
  let until = from + Math.max(graceMs, promised?.requestTimeoutMs ?? 0, promised?.streamTimeoutMs ?? 0);
  let isOver = false;
  const over = replica.callsOver().then(() => {
    isOver = true;
  });
  const learn = async (): Promise<void> => {
    const { deadline, hasStreams } = await replica.openCalls();
    const streams = hasStreams ? from + (promised?.streamTimeoutMs ?? 0) : 0;
    const lastMs = deadline === 0 ? 0 : activeTime.now() + (deadline - now()) + SLACK_MS;
    until = Math.max(from + graceMs, streams, lastMs);
  };
  const left = (): number => Math.max(0, until - activeTime.now());
  if (promised === undefined) {
    while (!isOver && left() > 0) await within(left(), over);
    return;
  }
  // The answer changes the limit of the wait.
  await within(left(), Promise.race([over, learn()]));
  while (!isOver) {
    if (left() > 0) {
      await within(left(), over);
    } else {
      await within(ANSWER_MS, Promise.race([over, learn()]));
      if (left() === 0) return;
    }
  }
}
