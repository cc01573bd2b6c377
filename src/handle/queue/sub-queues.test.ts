import { expect, test } from 'vitest';
import { COLD, SubQueues } from './sub-queues.ts';
import { UNCHARGED } from './tenant-lane.ts';

function items(count: number, modelKey: number) {
  return Array.from({ length: count }, (_, number) => ({
    priorityRank: 1,
    tenant: '',
    expiresAt: 0,
    number,
    isQueued: true,
    chargedMs: UNCHARGED,
    modelKey,
  }));
}

test('what has left takes no more room than what waits', () => {
  const subQueues = new SubQueues();
  const calls = items(10_000, 7);
  for (const call of calls) subQueues.add(7, call);
  for (const call of calls.slice(1)) subQueues.forget(call);
  const [subQueue] = subQueues.all;
  expect([subQueues.size, subQueue?.size]).toEqual([1, 1]);
  expect(subQueue?.calls.length).toBeLessThan(100);
});

test('a call that comes back after its model was gone for a while waits once', () => {
  const subQueues = new SubQueues();
  const [call] = items(1, 7);
  const others = items(3, 8);
  if (call === undefined) return;
  for (const other of others) subQueues.add(COLD, other);
  for (let round = 0; round < 3; round++) {
    subQueues.add(COLD, call);
    expect(subQueues.takeCold(7)).toEqual([call]);
    subQueues.add(7, call);
    expect(subQueues.takeAll(7)).toEqual([call]);
  }
  const [subQueue] = subQueues.all;
  expect([subQueues.size, subQueue?.calls.length]).toEqual([3, 3]);
  expect(new Set(subQueues.takeAll(COLD))).toEqual(new Set(others));
  expect([subQueues.size, subQueues.all.size, subQueues.hasCold]).toEqual([0, 0, false]);
});
