/**
 * Whether `npm run test:fault` runs, which has all of the long tests. `npm test` has a quick share of them: fewer seeds, and the
 * essential cases.
 */
export const IS_LONG_RUN: boolean = process.env['INSERVE_TEST_FAULT'] === '1';

/** One of two settings of a test, such as its number of seeds: the first in `npm test`, the second in `npm run test:fault`. */
export function quickOrWhole<T>(quick: T, whole: T): T {
  return IS_LONG_RUN ? whole : quick;
}

/** The cases of a test: the first ones in `npm test`, all of them in `npm run test:fault`. */
export function share<T>(quick: number, cases: readonly T[]): readonly T[] {
  return quickOrWhole(cases.slice(0, quick), cases);
}
