/** What all contenders do: computing that is counted in steps, so that lost CPU shows, which a loop until a time hides. */

/** Steps of a xorshift generator (G. Marsaglia, Xorshift RNGs, 2003), each of which needs the one before. */
function compute(steps: number): number {
  let state = 1;
  for (let step = 0; step < steps; step++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
  }
  return state;
}

/** Computes, and answers how many ms that took here and now. */
export function timed(steps: number): number {
  const begin = performance.now();
  // The result is used, so that V8 cannot leave the loop out.
  if (compute(steps) === 0) throw new Error('a xorshift generator cannot reach 0');
  return performance.now() - begin;
}

/** Milliseconds of a clock that all threads of a process share, which `performance.now()` is not. */
export function sharedNow(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
