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
  expect(follower.update(VIEW)).toEqual({ targets: { 'shop/x': 0, 'shop/y': 1 }, cause: 'boot' });
  follower.offer(plan(1, ['a'], { 'shop/x': [3], 'shop/y': [2] }), 0);
  expect(follower.update(VIEW)).toEqual({ targets: { 'shop/x': 3, 'shop/y': 2 }, cause: 'plan' });
  follower.offer(plan(2, ['b'], { 'shop/x': [9], 'shop/y': [9] }), 0);
  expect(follower.update(VIEW)).toBeUndefined();
  follower.offer(plan(3, ['a', 'b'], { 'shop/y': [2, 2] }), 0);
  expect(follower.update(VIEW)).toBeUndefined();
  follower.offer(plan(4, ['a', 'b'], { 'shop/x': [2, 2], 'shop/y': [1, 3] }), 0);
  expect(follower.update(VIEW)).toEqual({ targets: { 'shop/x': 2, 'shop/y': 1 }, cause: 'plan' });
});
