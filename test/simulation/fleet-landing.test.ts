import { describe, expect, test } from 'vitest';
import { land } from '../support/fleet/data-plane/landing.ts';

/** Time after which windows and links are known, in ms. */
const KNOWN_MS = 200;

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

describe('calls of one thread by the name of a deployment and by that of its app', () => {
  test('share a window: none is refused again and again while those by the other name fill the places', async () => {
    await land(1, [[4], []], async (landing) => {
      const caller = landing.instance(1);
      for (const name of ['deployment', 'app'] as const) landing.callAtOnce(caller, name, 1, 10);
      await landing.pass(KNOWN_MS);
      landing.callAtOnce(caller, 'deployment', 6, 4_000);
      await landing.pass(20);
      landing.callAtOnce(caller, 'app', 20, 10);
      await landing.pass(20_000);
      expect(landing.waiting).toEqual([]);
      expect(caller.counts.refused).toBeLessThan(20);
    });
  });

  test('take turns', async () => {
    await land(2, [[2], []], async (landing) => {
      const caller = landing.instance(1);
      for (const name of ['deployment', 'app'] as const) landing.callAtOnce(caller, name, 1, 10);
      await landing.pass(KNOWN_MS);
      for (const name of ['deployment', 'app'] as const) landing.callAtOnce(caller, name, 40, 100);
      await landing.pass(2_000);
      const begun = landing.plane.calls.slice(2).filter(({ runs }) => runs > 0);
      const first = begun.filter(({ id }) => id < 42).length;
      expect(begun.length).toBeGreaterThan(30);
      expect(Math.abs(begun.length - 2 * first)).toBeLessThan(6);
    });
  });
});
