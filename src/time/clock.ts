/**
 * One monotonic clock for all threads of an instance: milliseconds since the instance's epoch.
 *
 * `performance.now()` starts at zero in each thread; `process.hrtime` is the machine's monotonic clock and the same in
 * all of them. Adding the difference once makes `now()` comparable across threads, so a deadline travels to a replica
 * as a plain (small) number, and the time it spends in a message queue counts.
 */
let epoch = process.hrtime.bigint();
let offset = elapsedSince(epoch) - performance.now();

function elapsedSince(ns: bigint): number {
  return Number(process.hrtime.bigint() - ns) / 1e6;
}

/** The instance's epoch, for `workerData`. */
export function clockEpoch(): bigint {
  return epoch;
}

/** A replica's thread adopts the epoch of its instance before anything reads the clock. */
export function adoptEpoch(ns: bigint): void {
  epoch = ns;
  offset = elapsedSince(ns) - performance.now();
}

/** A timer that is pending; it keeps the process alive until `unref`. Node's own timers are such. */
export interface Timer {
  ref(): unknown;
  unref(): unknown;
}

/**
 * What the calls, queues and batches of a thread read the time from, wait by and draw lots with. A simulation or a test
 * puts one of its own in its place with `useTime`.
 */
export interface ThreadTime {
  /** Milliseconds since the instance's epoch, with a fraction. */
  now(): number;
  /** Runs `run` once, in so many ms. */
  after(ms: number, run: () => void): Timer;
  /** Runs `run` every so many ms. */
  every(ms: number, run: () => void): Timer;
  /** Runs `run` once the current turn of the event loop is over. */
  soon(run: () => void): Timer;
  /** Ends a timer of `after` or `every`. */
  cancel(timer: Timer | undefined): void;
  /** A number in 0…1, 1 excluded. */
  random(): number;
}

/** The machine's. The globals are looked up at each call, so that a test may replace them. */
export const machineTime: ThreadTime = {
  now: () => performance.now() + offset,
  after: (ms, run) => setTimeout(run, ms),
  every: (ms, run) => setInterval(run, ms),
  soon: (run) => setImmediate(run),
  // Whatever `after` and `every` return is Node's own timer.
  cancel: (timer) => clearTimeout(timer as NodeJS.Timeout | undefined),
  random: () => Math.random(),
};

/** The time of this thread. */
export let time: ThreadTime = machineTime;

/** Gives this thread another time. No call, queue or batch of the thread may be open, and none when the result is disposed of. */
export function useTime(other: ThreadTime): Disposable {
  const before = time;
  time = other;
  return {
    [Symbol.dispose]() {
      time = before;
    },
  };
}

/** Milliseconds since the instance's epoch, with a fraction. */
export function now(): number {
  return time.now();
}

/** Time at which the current batch of answers arrived: one clock reading (40 ns) for all of them. */
export let batchTime = 0;

export function beginBatch(): void {
  batchTime = now();
}
