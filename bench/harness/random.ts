export { seededRandom } from '../../src/testing/random.ts';

/** An exponentially distributed number: the gap between two arrivals of a Poisson process. */
export function exponential(random: () => number, mean: number): number {
  return -mean * Math.log(1 - random());
}
