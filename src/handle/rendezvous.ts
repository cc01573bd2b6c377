import type { Endpoint } from './endpoint.ts';
import { hash, mix } from './hash.ts';

/**
 * Rendezvous hashing (Thaler, Ravishankar 1996): each session ranks the replicas in its own way. A replica more or less
 * moves only the sessions that it wins or that were its own, and a full one spills to the same next one every time.
 */
export function* byRendezvous(session: string, endpoints: readonly Endpoint[]): Generator<Endpoint> {
  const key = hash(session);
  const weightOf = ({ affinityHash }: Endpoint): number => mix(key ^ affinityHash);
  let [best] = endpoints as [Endpoint];
  for (const endpoint of endpoints) if (weightOf(endpoint) > weightOf(best)) best = endpoint;
  yield best;
  // Only now is the order of the others of interest.
  yield* endpoints.filter((endpoint) => endpoint !== best).sort((a, b) => weightOf(b) - weightOf(a));
}
