import { now, type Timer, time } from './clock.ts';

/** The number of parts in which a limit is waited for, and the shortest and longest part in ms. */
const PARTS = 4;
const SHORTEST_PART_MS = 1;
const LONGEST_PART_MS = 250;
/** A part that ends later by more than this, in ms, was interrupted. */
const LATE_MS = 250;

/** A timer of `limit`. */
export interface Limit {
  cancel(): void;
}

/**
 * Calls `run` once this thread has been able to wait for `ms` milliseconds. Time while the process is paused or the event loop
 * is blocked does not count, because work that runs elsewhere would be given up before it had its time. The limit is waited
 * for in parts, and an interrupted part counts only with its planned length.
 *
 * @param keepsAlive whether the timer keeps the process alive
 */
export function limit(ms: number, run: () => void, keepsAlive = true): Limit {
  const partMs = Math.min(Math.max(ms / PARTS, SHORTEST_PART_MS), LONGEST_PART_MS);
  let left = ms;
  let timer: Timer;
  const arm = (): void => {
    const part = Math.min(left, partMs);
    const from = now();
    timer = time.after(part, () => {
      const passed = Math.max(part, now() - from);
      left -= passed > part + LATE_MS ? part : passed;
      if (left > 0) arm();
      else run();
    });
    if (!keepsAlive) timer.unref();
  };
  arm();
  return { cancel: () => time.cancel(timer) };
}

/**
 * Returns the result of work that may never end. By default the timer keeps the process alive. Pauses do not count.
 *
 * @throws the error of the work, or `error()` if the time is up first
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

/** Waits until the work has succeeded or failed, or the time is up. Pauses of the process do not count. */
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
