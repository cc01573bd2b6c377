import { now } from './clock.ts';

/** A limit is waited for in so many parts, each at least and at most this long, in ms. */
const PARTS = 4;
const SHORTEST_PART_MS = 1;
const LONGEST_PART_MS = 250;
/** A part that takes longer by more than this, in ms, was interrupted. */
const LATE_MS = 250;

/** A timer of `limit`. */
export interface Limit {
  cancel(): void;
}

/**
 * Calls `run` once this thread has been able to wait for so long. What passes while the process is paused, or the event loop
 * blocked, does not count: work that is under way elsewhere would be given up before it had its time. So the limit is waited
 * for in parts, and of a part that was interrupted only its own length counts.
 *
 * @param keepsAlive whether the process stays alive for it
 */
export function limit(ms: number, run: () => void, keepsAlive = true): Limit {
  const partMs = Math.min(Math.max(ms / PARTS, SHORTEST_PART_MS), LONGEST_PART_MS);
  let left = ms;
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const part = Math.min(left, partMs);
    const from = now();
    timer = setTimeout(() => {
      const passed = Math.max(part, now() - from);
      left -= passed > part + LATE_MS ? part : passed;
      if (left > 0) arm();
      else run();
    }, part);
    if (!keepsAlive) timer.unref();
  };
  arm();
  return { cancel: () => clearTimeout(timer) };
}

/**
 * The result of work that may never end. The time keeps the process alive; pauses of the process do not count.
 *
 * @throws what the work throws; `error()` when the time is up first
 */
export async function withTimeout<T>(
  work: Promise<T>,
  ms: number,
  error: () => Error,
  keepsAlive = true,
): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = limit(ms, () => reject(error()), keepsAlive);
  try {
    return await Promise.race([work, promise]);
  } finally {
    timer.cancel();
  }
}

/** Waits for work that may fail or hang; answers when it is over or the time is up. Pauses of the process do not count. */
export async function within(ms: number, work: Promise<unknown>, keepsAlive = true): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = limit(ms, resolve, keepsAlive);
  work.then(
    () => resolve(),
    () => resolve(),
  );
  await promise;
  timer.cancel();
}
