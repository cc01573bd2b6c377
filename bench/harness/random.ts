/**
 * Uniform numbers in [0, 1) that follow from a seed, so that every contender meets the same arrivals and services.
 * Source: Tommy Ettinger's mulberry32, https://gist.github.com/tommyettinger/46a874533244883189143505d203312c.
 */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An exponentially distributed number: the gap between two arrivals of a Poisson process. */
export function exponential(random: () => number, mean: number): number {
  return -mean * Math.log(1 - random());
}
