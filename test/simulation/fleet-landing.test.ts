import { describe, expect, test } from 'vitest';
import { land } from '../support/fleet/data-plane/landing.ts';

const SEEDS = Array.from({ length: 20 }, (_, index) => index + 1);

describe('a call lands at a full peer only when no place is free elsewhere', () => {
  test.each([
    ['at peers with one place each', [[1], [1], [1], []], 3],
    ['at peers with several places', [[2], [1, 3], [4], []], 3],
    ['here and at peers', [[2], [1], [3]], 0],
  ])('as many long calls as there are places all begin: %s', async (_, replicas, entry) => {
    const places = replicas.flat().reduce((sum, count) => sum + count, 0);
    for (const seed of SEEDS)
      await land(seed, replicas, async (landing) => {
        await landing.calls(landing.instance(entry), places);
        expect([seed, landing.waiting]).toEqual([seed, []]);
      });
  });

  test('a caller that knows a peer to be full learns that the calls of another one have ended there', async () => {
    for (const seed of SEEDS)
      await land(seed, [[2], [2], [], []], async (landing) => {
        const [, , one, other] = landing.plane.instances;
        if (one === undefined || other === undefined) throw new Error('instances are missing');
        await landing.calls(one, 4, 2_000);
        await landing.calls(other, 1, 4_000);
        await landing.pass(4_000);
        // The other one knows that the peer of its call is not full, and has known that the other peer is.
        await landing.calls(other, 3);
        expect([seed, landing.waiting]).toEqual([seed, []]);
      });
  });
});
