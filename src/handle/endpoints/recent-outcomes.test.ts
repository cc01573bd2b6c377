import { expect, test } from 'vitest';
import { RecentOutcomes } from './recent-outcomes.ts';

function counts({ calls, failures }: RecentOutcomes): [number, number] {
  return [calls, failures];
}

test('counts the calls of the last ten seconds', () => {
  const recent = new RecentOutcomes();
  recent.add(10, 4, 20_000);
  recent.add(2, 1, 29_000);
  expect(counts(recent)).toEqual([12, 5]);
  recent.add(0, 0, 35_000);
  expect(counts(recent)).toEqual([6, 2.5]);
  recent.add(1, 0, 40_000);
  expect(counts(recent)).toEqual([1, 0]);
  recent.add(0, 0, 70_000);
  expect(counts(recent)).toEqual([0, 0]);
});

test('counts no more than the last fifty', () => {
  const recent = new RecentOutcomes();
  recent.add(1_000, 0, 1_000);
  expect(counts(recent)).toEqual([50, 0]);
  recent.add(10, 10, 1_050);
  expect(counts(recent)).toEqual([50, 10]);
  recent.add(40, 0, 1_100);
  expect(counts(recent)).toEqual([50, 2]);
  recent.add(200, 100, 1_150);
  expect(counts(recent)).toEqual([50, 25]);
  recent.forget();
  expect(counts(recent)).toEqual([0, 0]);
});
