/** Draws numbers in 0…1, 1 excluded. */
export type Random = () => number;

/** A small seeded generator (Tommy Ettinger's mulberry32). */
export function seeded(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Durations, in ms, with the mean that a load is computed from. */
export interface Durations {
  readonly meanMs: number;
  draw(random: Random): number;
}

export function exponential(meanMs: number): Durations {
  return { meanMs, draw: (random) => -meanMs * Math.log(1 - random()) };
}

export function constant(ms: number): Durations {
  return { meanMs: ms, draw: () => ms };
}

export function uniform(fromMs: number, toMs: number): Durations {
  return { meanMs: (fromMs + toMs) / 2, draw: (random) => fromMs + (toMs - fromMs) * random() };
}

/** One of two kinds of durations. @param share of the second kind */
export function mixed(most: Durations, few: Durations, share: number): Durations {
  return {
    meanMs: (1 - share) * most.meanMs + share * few.meanMs,
    draw: (random) => (random() < share ? few : most).draw(random),
  };
}

/** Weighted choice among `count` items by Zipf's law with exponent 1. Pure: the index for a number in 0…1. */
export function zipf(count: number): (at: number) => number {
  const sums: number[] = [];
  let sum = 0;
  for (let rank = 1; rank <= count; rank++) {
    sum += 1 / rank;
    sums.push(sum);
  }
  return (at) => sums.findIndex((upTo) => at * sum < upTo);
}
