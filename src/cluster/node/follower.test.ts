import { expect, test } from 'vitest';
import { declarationOf, declared } from '../../../test/support/fleet/fixtures.ts';
import type { Plan } from '../documents.ts';
import { placesOf } from './declaration.ts';
import { Follower, type FollowerView } from './follower.ts';

const VIEW: FollowerView = {
  self: 'a',
  places: placesOf(declarationOf('1', [declared('x'), declared('y', { minReplicasPerInstance: 1 })])),
  running: () => 0,
  isDraining: false,
  elsewhere: () => 1,
};

function plan(number: number, instances: string[], counts: Plan['counts']): Plan {
  const rest = { format: 1, owner: 'b#1', generation: 0, previousTotal: 0, ending: [], shares: {} };
  return { ...rest, number, token: 1, instances, counts };
}

test('absent is not zero: what a plan does not speak of stays as it is', () => {
  const follower = new Follower();
  const both = ['shop/x', 'shop/y'];
  const first = { 'shop/x': 0, 'shop/y': 1 };
  expect(follower.update(VIEW)).toEqual({ targets: first, undecided: both, cause: 'boot' });
  follower.offer(plan(1, ['a'], { 'shop/x': [3], 'shop/y': [2] }), 0);
  const targets = { 'shop/x': 3, 'shop/y': 2 };
  expect(follower.update(VIEW)).toEqual({ targets, undecided: [], cause: 'plan' });
  follower.offer(plan(2, ['b'], { 'shop/x': [9], 'shop/y': [9] }), 0);
  expect(follower.update(VIEW)).toEqual({ targets, undecided: both, cause: 'plan' });
  follower.offer(plan(3, ['a', 'b'], { 'shop/y': [2, 2] }), 0);
  expect(follower.update(VIEW)).toEqual({ targets, undecided: ['shop/x'], cause: 'plan' });
  expect(follower.update(VIEW)).toBeUndefined();
  follower.offer(plan(4, ['a', 'b'], { 'shop/x': [2, 2], 'shop/y': [1, 3] }), 0);
  const last = { 'shop/x': 2, 'shop/y': 1 };
  expect(follower.update(VIEW)).toEqual({ targets: last, undecided: [], cause: 'plan' });
});

test('a plan that wants none where none is says so', () => {
  const follower = new Follower();
  follower.update(VIEW);
  follower.offer(plan(1, ['a', 'b'], { 'shop/x': [0, 1], 'shop/y': [1, 0] }), 0);
  expect(follower.update(VIEW)).toMatchObject({ targets: { 'shop/x': 0 }, undecided: [], cause: 'plan' });
});
