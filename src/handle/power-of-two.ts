import { RESERVED } from '../pool/load-table.ts';
import { time } from '../time/clock.ts';
import type { Endpoint } from './endpoint.ts';

/**
 * Takes a place at a replica unless it is the excepted one; undefined if none is free.
 *
 * @param at the time, as exactly as the caller knows it
 */
export function reserveAt(
  endpoint: Endpoint,
  except: Endpoint | undefined,
  at: number,
): Endpoint | undefined {
  return endpoint !== except && endpoint.channel.reserve(at) === RESERVED.ok ? endpoint : undefined;
}

/**
 * The cheaper of two at random (Mitzenmacher 1996); when both are full every other replica is tried, so a free place is
 * never missed.
 */
export function powerOfTwoChoices(
  endpoints: readonly Endpoint[],
  except: Endpoint | undefined,
  at: number,
): Endpoint | undefined {
  const count = endpoints.length;
  if (count === 0) return undefined;
  const first = Math.floor(time.random() * count);
  let best = endpoints[first] as Endpoint;
  const second = (first + 1 + Math.floor(time.random() * (count - 1))) % count;
  let other = endpoints[second] as Endpoint;
  if (other.score < best.score) [best, other] = [other, best];
  if (reserveAt(best, except, at) !== undefined) return best;
  if (reserveAt(other, except, at) !== undefined) return other;
  for (let step = 1; count > 2 && step < count; step++) {
    const endpoint = endpoints[(first + step) % count] as Endpoint;
    const isTried = endpoint === best || endpoint === other;
    if (!isTried && reserveAt(endpoint, except, at) !== undefined) return endpoint;
  }
  return undefined;
}
