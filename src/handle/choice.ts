import { RESERVED } from '../pool/load-table.ts';
import { time } from '../time/clock.ts';
import type { Call } from './call.ts';
import type { Endpoint } from './endpoint.ts';
import { hash, mix } from './hash.ts';

/**
 * Takes a place for a call at a replica; undefined if there is none free. What the call should stay close to decides
 * first, else the power of two choices does.
 *
 * @param except a replica that will not do
 */
export function reservePlace(
  call: Call,
  endpoints: readonly Endpoint[],
  except: Endpoint | undefined,
): Endpoint | undefined {
  if (endpoints.length === 1) return reserveAt(endpoints[0] as Endpoint, except);
  const affine = preferred(call, endpoints);
  if (affine === undefined) return powerOfTwoChoices(endpoints, except);
  for (const endpoint of affine) if (reserveAt(endpoint, except) !== undefined) return endpoint;
  return undefined;
}

function reserveAt(endpoint: Endpoint, except: Endpoint | undefined): Endpoint | undefined {
  return endpoint !== except && endpoint.channel.reserve() === RESERVED.ok ? endpoint : undefined;
}

/** All replicas, those that the call should go to first; undefined if it does not matter. */
function preferred(call: Call, endpoints: readonly Endpoint[]): Iterable<Endpoint> | undefined {
  const { meta } = call;
  if (meta === undefined || endpoints.length < 2) return undefined;
  if (meta.multiplexedModelId) return byModel(meta.multiplexedModelId, endpoints);
  return meta.sessionId === undefined ? undefined : byRendezvous(meta.sessionId, endpoints);
}

/**
 * Replicas that hold the model, the cheapest first. Then those with the fewest models, where each id has an order of its
 * own: calls that come before the first of them has begun to load agree on where it will be.
 */
function* byModel(modelId: string, endpoints: readonly Endpoint[]): Generator<Endpoint> {
  const key = hash(modelId);
  const isHolder = ({ channel }: Endpoint): boolean => channel.holdsModel(key);
  yield* endpoints.filter(isHolder).sort((a, b) => a.score - b.score);
  const ranked = [...byRendezvous(modelId, endpoints)].filter((endpoint) => !isHolder(endpoint));
  yield* ranked.sort((a, b) => a.channel.models - b.channel.models);
}

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

/**
 * The cheaper of two at random (Mitzenmacher 1996); when both are full every other replica is tried, so a free place is
 * never missed.
 */
function powerOfTwoChoices(
  endpoints: readonly Endpoint[],
  except: Endpoint | undefined,
): Endpoint | undefined {
  const count = endpoints.length;
  if (count === 0) return undefined;
  const first = Math.floor(time.random() * count);
  let best = endpoints[first] as Endpoint;
  const second = (first + 1 + Math.floor(time.random() * (count - 1))) % count;
  let other = endpoints[second] as Endpoint;
  if (other.score < best.score) [best, other] = [other, best];
  if (reserveAt(best, except) !== undefined) return best;
  if (reserveAt(other, except) !== undefined) return other;
  for (let step = 1; count > 2 && step < count; step++) {
    const endpoint = endpoints[(first + step) % count] as Endpoint;
    const isTried = endpoint === best || endpoint === other;
    if (!isTried && reserveAt(endpoint, except) !== undefined) return endpoint;
  }
  return undefined;
}
