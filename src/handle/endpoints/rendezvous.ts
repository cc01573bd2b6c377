import type { Endpoint } from './endpoint.ts';

/**
 * Rendezvous hashing (Thaler, Ravishankar 1996): each key ranks the replicas in its own way. Adding a replica moves
 * only the keys that it wins, removing a replica only its own keys.
 */
export function bestByRendezvous(key: number, endpoints: readonly Endpoint[]): Endpoint {
  let [best] = endpoints as [Endpoint];
  let bestWeight = -1;
  for (const endpoint of endpoints) {
    const weight = endpoint.weight(key);
    if (weight <= bestWeight) continue;
    best = endpoint;
    bestWeight = weight;
  }
  return best;
}

/** All replicas in the order of a key's ranking. */
export function rankByRendezvous(key: number, endpoints: readonly Endpoint[]): Endpoint[] {
  return endpoints.toSorted((a, b) => b.weight(key) - a.weight(key));
}
