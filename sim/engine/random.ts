export { seededRandom as seeded } from '../../src/testing/random.ts';

/** Draws numbers in 0…1, 1 excluded. */
export type Random = () => number;

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
