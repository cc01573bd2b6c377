import fc from 'fast-check';
import { expect, test } from 'vitest';
import { freeRank, type Ranked, renumber } from './ranks.ts';

const ranked = (...ranks: number[]): Ranked[] => ranks.map((rank) => ({ rank }));
const after = (members: readonly Ranked[], others: readonly Ranked[] = []): number[] => {
  const moves = renumber(members, others);
  return members.map((member) => moves.get(member) ?? member.rank);
};

test('the lowest free rank', () => {
  expect(freeRank([])).toBe(0);
  expect(freeRank(ranked(0, 1, 3))).toBe(2);
});

test.each([
  ['dense ones stay', [2, 0, 1], [], [2, 0, 1]],
  ['holes of a scale-down are filled by the fewest moves', [0, 2, 5], [], [0, 2, 1]],
  ['what came beside an old version moves to its place', [3, 0, 1], [], [2, 0, 1]],
  ['a rank is taken until its replica is gone', [3, 0, 1], [2], [3, 0, 1]],
])('%s', (_what, members, others, wanted) => {
  expect(after(ranked(...members), ranked(...others))).toEqual(wanted);
});

test('0…n−1 in the end, and never two with one rank', () => {
  const ranks = fc.uniqueArray(fc.nat(30), { maxLength: 20 });
  fc.assert(
    fc.property(ranks, fc.nat(20), (all, cut) => {
      const members = ranked(...all.slice(0, cut));
      const others = ranked(...all.slice(cut));
      const between = after(members, others);
      expect(new Set([...between, ...others.map(({ rank }) => rank)]).size).toBe(all.length);
      const end = after(ranked(...between));
      expect(end.toSorted((a, b) => a - b)).toEqual(members.map((_, index) => index));
    }),
    { seed: 1 },
  );
});
