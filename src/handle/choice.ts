import type { Call } from './call.ts';
import type { Endpoint } from './endpoint.ts';
import { hash } from './hash.ts';
import { powerOfTwoChoices, reserveAt } from './power-of-two.ts';
import { byRendezvous } from './rendezvous.ts';
import type { SessionAffinity } from './session-affinity.ts';

/**
 * Takes a place for a call at a replica; undefined if there is none free. What the call should stay close to decides
 * first, else the power of two choices does.
 *
 * @param except a replica that will not do
 * @param at the time, as exactly as the caller knows it
 */
export function reservePlace(
  call: Call,
  endpoints: readonly Endpoint[],
  except: Endpoint | undefined,
  at: number,
  sessions: SessionAffinity,
): Endpoint | undefined {
  if (endpoints.length === 1) return reserveAt(endpoints[0] as Endpoint, except, at);
  const affine = preferred(call, endpoints, sessions);
  if (affine === undefined) return powerOfTwoChoices(endpoints, except, at);
  for (const endpoint of affine) if (reserveAt(endpoint, except, at) !== undefined) return endpoint;
  return undefined;
}

/** All replicas, those that the call should go to first; undefined if it does not matter. */
function preferred(
  call: Call,
  endpoints: readonly Endpoint[],
  sessions: SessionAffinity,
): Iterable<Endpoint> | undefined {
  const { meta } = call;
  if (meta === undefined || endpoints.length < 2) return undefined;
  if (meta.multiplexedModelId) return byModel(meta.multiplexedModelId, endpoints);
  return meta.sessionId === undefined ? undefined : sessions.rank(meta.sessionId, endpoints);
}

/**
 * Replicas that hold the model, the cheapest first. Then those with the fewest models, where each id has an order of its
 * own: calls that come before the first of them has begun to load agree on where it will be.
 */
function* byModel(modelId: string, endpoints: readonly Endpoint[]): Generator<Endpoint> {
  const key = hash(modelId);
  const isHolder = ({ channel }: Endpoint): boolean => channel.models.holds(key);
  yield* endpoints.filter(isHolder).sort((a, b) => a.score - b.score);
  const ranked = [...byRendezvous(modelId, endpoints)].filter((endpoint) => !isHolder(endpoint));
  yield* ranked.sort((a, b) => a.channel.models.count - b.channel.models.count);
}
