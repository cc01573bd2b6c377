import { expect, test, vi } from 'vitest';
import type { Endpoint } from './endpoint.ts';
import { bestByRendezvous, rankByRendezvous } from './rendezvous.ts';

test('replicas are ranked by their weights, each of which is computed once', () => {
  const weights = Array.from({ length: 50 }, (_, index) => (index * 17) % 50);
  const endpoints = weights.map((weight) => ({ weight: vi.fn(() => weight) }) as unknown as Endpoint);
  const ranked = rankByRendezvous(1, endpoints);
  for (const { weight } of endpoints) expect(weight).toHaveBeenCalledTimes(1);
  expect(ranked.map((endpoint) => endpoint.weight(1))).toEqual(weights.toSorted((a, b) => b - a));
  expect(bestByRendezvous(1, endpoints)).toBe(ranked[0]);
});
