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

/** Milliseconds since the instance's epoch, with a fraction. */
export function now(): number {
  return performance.now() + offset;
}

/** Time at which the current batch of answers arrived: one clock reading (40 ns) for all of them. */
export let batchTime = 0;

export function beginBatch(): void {
  batchTime = now();
}
