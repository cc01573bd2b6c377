import type { OpenCalls } from '../replica/control.ts';
import { activeTime } from '../time/active-time.ts';
import { now } from '../time/clock.ts';
import { within } from '../time/timeout.ts';

/** How long a replica that stops may go on with its calls. */
export interface DrainLimits {
  /** Whatever its calls are, in ms. */
  readonly graceMs: number;
  /** Given: its calls may take as long as they were promised when that is longer. In ms, 0 = nothing was promised. */
  readonly promised?: { readonly requestTimeoutMs: number; readonly streamTimeoutMs: number };
}

/** The end of a thread gets at least so much time, in ms, and this share of the grace, where its calls used that up. */
const LEAST_END_MS = 50;
const END_SHARE = 1 / 20;

/**
 * How long the destructor and the end of a thread may take: what its calls left of the grace.
 *
 * @param since time of `activeTime` at which the grace began
 * @param most at the most, in ms
 */
export function endLimit({ graceMs, promised }: DrainLimits, since: number, most: number): number {
  if (promised !== undefined) return most;
  const left = graceMs - (activeTime.now() - since);
  return Math.min(most, Math.max(left, graceMs * END_SHARE, LEAST_END_MS));
}

/** The calls of a replica that stops. */
export interface Draining {
  /** Asks the replica, which answers as soon as its event loop turns. */
  openCalls(): Promise<OpenCalls>;
  /** Resolves when the last call is over, or the replica is dead. */
  callsOver(): Promise<void>;
}

/** A caller gives up up to a tick of its wheel after the deadline: it is told of that, not of the replica's end. */
const SLACK_MS = 100;
/** Limit of the last question, in ms: a replica that computes does not answer. */
const ANSWER_MS = 1_000;

/**
 * Waits for the calls of a replica that takes no more: for the grace, and beyond it until the last of their deadlines. Only
 * the replica knows these, so it is asked at the start, and once more before it is given up, for calls that were on their
 * way at the start. Until it answers, the longest time that its calls can take counts. Pauses of the process do not count.
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
  // The answer changes how long to wait.
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
