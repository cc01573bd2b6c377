import { expect, test } from 'vitest';
import { AdaptiveSpin } from './adaptive-spin.ts';

/** Turns for which the loop stays awake after one in which so many calls ended, if no message comes. */
function turnsAfter(spin: AdaptiveSpin, ended: number): number {
  let turns = 0;
  for (let again = spin.worked(ended); again; again = spin.idled()) turns++;
  expect(spin.isSpinning).toBe(false);
  return turns;
}

test('a loop stays awake for a few turns after many calls, and sleeps after few', () => {
  const spin = new AdaptiveSpin();
  expect([turnsAfter(spin, 16), turnsAfter(spin, 8), turnsAfter(spin, 7), turnsAfter(spin, 0)]).toEqual([
    8, 8, 0, 0,
  ]);
});

test('it sleeps at once where the next message does not come meanwhile, and tries again some time later', () => {
  const spin = new AdaptiveSpin();
  const turns = Array.from({ length: 200 }, () => turnsAfter(spin, 16));
  expect(turns.filter((count) => count > 0)).toHaveLength(24);
  expect(turns.slice(0, 9)).toEqual([...Array(8).fill(8), 0]);
  expect([turns[71], turns[72]]).toEqual([0, 8]);
});

test('it stays awake for as long as one message in a few comes meanwhile', () => {
  const spin = new AdaptiveSpin();
  for (let round = 0; round < 100; round++) {
    for (let vain = 0; vain < 5; vain++) expect(turnsAfter(spin, 16)).toBe(8);
    expect([spin.worked(16), spin.idled(), spin.worked(16)]).toEqual([true, true, true]);
    while (spin.idled());
  }
});
