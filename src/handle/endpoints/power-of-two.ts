import { RESERVED } from '../../load/load-table.ts';
import { time } from '../../time/clock.ts';
import type { Endpoint } from './endpoint.ts';

/**
 * Takes a place at a replica unless the replica is the excepted one; undefined if no place is free.
 *
 * @param at the time, as exactly as the caller knows it
 * @param mayWait whether the call may wait there
 */
export function reserveAt(
  endpoint: Endpoint,
  except: Endpoint | undefined,
  at: number,
  mayWait = true,
): Endpoint | undefined {
  const { channel } = endpoint;
  if (endpoint === except || (!mayWait && channel.wouldWait)) return undefined;
  return channel.reserve(at) === RESERVED.ok ? endpoint : undefined;
}

/** The cheaper of two at random. @param endpoints at least one */
export function cheaperOfTwo(endpoints: readonly Endpoint[]): Endpoint {
  const count = endpoints.length;
  const first = Math.floor(time.random() * count);
  const one = endpoints[first] as Endpoint;
  if (count === 1) return one;
  const other = endpoints[(first + 1 + Math.floor(time.random() * (count - 1))) % count] as Endpoint;
  return other.score < one.score ? other : one;
}

/**
 * The cheaper of two at random (Mitzenmacher 1996). When it is full, the cheapest of all that have room: a free place is
 * never missed, and a slow replica is not taken while a good one is free.
 *
 * @param mayWait whether the call may wait at the replica: false passes over instances without a free place
 */
export function powerOfTwoChoices(
  endpoints: readonly Endpoint[],
  except: Endpoint | undefined,
  at: number,
  mayWait = true,
): Endpoint | undefined {
  const count = endpoints.length;
  if (count === 0) return undefined;
  const first = Math.floor(time.random() * count);
  const one = endpoints[first] as Endpoint;
  const other = endpoints[(first + 1 + Math.floor(time.random() * (count - 1))) % count] as Endpoint;
  const best = other.score < one.score ? other : one;
  if (reserveAt(best, except, at, mayWait) !== undefined) return best;
  // Another thread may take the place first.
  for (let attempt = 0; attempt < count; attempt++) {
    const next = cheapest(endpoints, first, except, at, mayWait);
    if (next === undefined || reserveAt(next, except, at) !== undefined) return next;
  }
  return undefined;
}

/** The cheapest replica that has room. @param first index to begin at, which wins among equally cheap replicas */
function cheapest(
  endpoints: readonly Endpoint[],
  first: number,
  except: Endpoint | undefined,
  at: number,
  mayWait: boolean,
): Endpoint | undefined {
  let best: Endpoint | undefined;
  let bestScore = Infinity;
  for (let step = 0; step < endpoints.length; step++) {
    const endpoint = endpoints[(first + step) % endpoints.length] as Endpoint;
    const { channel } = endpoint;
    if (endpoint === except || channel.room(at) !== RESERVED.ok || (!mayWait && channel.wouldWait)) continue;
    const { score } = endpoint;
    if (score >= bestScore) continue;
    best = endpoint;
    bestScore = score;
  }
  return best;
}
