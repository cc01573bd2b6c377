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
  // The weight for another instance is the best of its replicas' hashes, which another thread may change during the sort.
  const ranked = endpoints.map((endpoint) => ({ endpoint, weight: endpoint.weight(key) }));
  return ranked.sort((a, b) => b.weight - a.weight).map(({ endpoint }) => endpoint);
}
