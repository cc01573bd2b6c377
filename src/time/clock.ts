import { inRootContext } from './root-context.ts';

/**
 * One monotonic clock for all threads of an instance: milliseconds since the instance's epoch.
 *
 * `performance.now()` starts at zero in each thread; `process.hrtime` is the machine's monotonic clock and the same in all of
 * them. Adding the difference once makes `now()` comparable across threads, so a deadline travels to a replica as a small
 * number, and the time that it spends in a message queue counts.
 */
let epoch = process.hrtime.bigint();
let offset = offsetTo(epoch);

/**
 * The difference of the two clocks. A thread that loses its core between the readings would be late by that time for ever, so
 * the closest of three pairs of readings counts.
 */
function offsetTo(ns: bigint): number {
  let closest = Infinity;
  let difference = 0;
  for (let reading = 0; reading < 3; reading++) {
    const before = performance.now();
    const elapsed = Number(process.hrtime.bigint() - ns) / 1e6;
    const gap = performance.now() - before;
    if (gap >= closest) continue;
    closest = gap;
    difference = elapsed - before - gap / 2;
  }
  return difference;
}

/** The instance's epoch, for `workerData`. */
export function clockEpoch(): bigint {
  return epoch;
}

/** Sets the epoch of a replica's thread to that of its instance. Called before the clock is read. */
export function adoptEpoch(ns: bigint): void {
  epoch = ns;
  offset = offsetTo(ns);
}

/** A pending timer, which keeps the process alive until `unref`. Node's own timers have this interface. */
export interface Timer {
  ref(): unknown;
  unref(): unknown;
}

/**
 * The source of time, timers, wake-ups and random numbers for the calls, queues and batches of a thread. A simulation or
 * a test replaces it with `useTime`.
 */
export interface ThreadTime {
  /** Milliseconds since the instance's epoch, with a fraction. */
  now(): number;
  /** Runs `run` once, after `ms` milliseconds. */
  after(ms: number, run: () => void): Timer;
  /** Runs `run` every `ms` milliseconds, in the async context of no call, since a repetition outlives the call that starts it. */
  every(ms: number, run: () => void): Timer;
  /** Runs `run` once the current turn of the event loop is over. */
  soon(run: () => void): Timer;
  /** Ends a timer of `after` or `every`. */
  cancel(timer: Timer | undefined): void;
  /**
   * Resolves when another thread has changed a shared word and notifies, or at once if the word is no longer `value`. Does not
   * keep the process alive.
   */
  wait(words: Int32Array, index: number, value: number): Promise<unknown>;
  /** A random number from 0 up to, but not including, 1. */
  random(): number;
}

/** The machine's time. The globals are looked up at each call, so that a test may replace them. */
export const machineTime: ThreadTime = {
  now: () => performance.now() + offset,
  after: (ms, run) => setTimeout(run, ms),
  every: (ms, run) => inRootContext(() => setInterval(run, ms)),
  soon: (run) => setImmediate(run),
  // The timers that `after` and `every` return are Node's own.
  cancel: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  wait(words, index, value) {
    const wait = Atomics.waitAsync(words, index, value);
    return wait.async ? wait.value : Promise.resolve(wait.value);
  },
  random: () => Math.random(),
};

let current: ThreadTime = machineTime;

/** The time of this thread. */
export { current as time };

/**
 * Replaces the time of this thread until the result is disposed of. At both moments no call, queue or batch of the thread may
 * be open.
 */
export function useTime(other: ThreadTime): Disposable {
  const before = current;
  current = other;
  return {
    [Symbol.dispose]() {
      current = before;
    },
  };
}

/** Milliseconds since the instance's epoch, with a fraction. */
export function now(): number {
  return current.now();
}

/** Time at which the current batch of answers arrived: one clock reading (40 ns) for all of them. */
export let batchTime = 0;

export function beginBatch(): void {
  batchTime = now();
}
