import { RESERVED } from '../../load/load-table.ts';
import type { Call } from '../call/call.ts';
import type { Endpoint } from './endpoint.ts';
import { powerOfTwoChoices, reserveAt } from './power-of-two.ts';
import type { SessionAffinity } from './session-affinity.ts';

/**
 * Takes a place for a call at a replica; undefined if no place is free. The call's session decides first, else the
 * power of two choices does; `ModelAffinity` places the calls that name a model.
 *
 * @param except a replica to skip
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
  const sessionId = call.meta?.sessionId;
  if (sessionId === undefined) return powerOfTwoChoices(endpoints, except, at);
  for (const endpoint of sessions.rank(sessionId, endpoints)) {
    if (endpoint === except) continue;
    // A session waits for the loop of its own replica, and goes elsewhere only when that has no place left.
    if (endpoint.channel.reserveToWait() === RESERVED.ok) return endpoint;
  }
  return undefined;
}
