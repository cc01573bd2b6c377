import type { OutboundCall } from '../../channel/outbound-call.ts';
import { RESERVED } from '../../load/load-table.ts';
import { Call } from '../call/call.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointSet } from './endpoint-set.ts';

/**
 * Takes back calls that wait at a replica whose loop is held, where another replica has a free place for them; takes back all
 * calls from a stuck replica.
 *
 * @param at now
 * @param inService the replicas that calls may go to
 */
function* recallHeld(
  endpoints: readonly Endpoint[],
  at: number,
  inService: readonly Endpoint[],
): Generator<Call> {
  for (const endpoint of endpoints) {
    const { channel } = endpoint;
    if (channel.outstanding === 0 || !channel.isHeld(at)) continue;
    const { isStuck } = channel;
    const mayMove = (): boolean =>
      isStuck || inService.some((other) => other !== endpoint && hasPlace(other, at));
    if (mayMove())
      yield* takeBack(endpoint, ({ meta }) => {
        // A session waits for its own replica.
        return (isStuck || meta?.sessionId === undefined) && mayMove();
      });
  }
}

/** Takes back calls that have not begun and are less important than this rank. */
function* recallBelow(endpoints: readonly Endpoint[], rank: number): Generator<Call> {
  for (const endpoint of endpoints) yield* takeBack(endpoint, (call) => call.priorityRank > rank);
}

/** Calls are moved from one replica to another at most this often, in ms. */
const PAUSE_MS = 1;

/** Decides which of the calls that were sent and have not begun are taken back, and when to look for them. */
export class Recall {
  readonly #endpoints: EndpointSet;
  /** Rank of the least important call that was sent and may wait at a replica. */
  #lowestRank = 0;
  #lookedAt = 0;

  constructor(endpoints: EndpointSet) {
    this.#endpoints = endpoints;
  }

  /** A call was sent. */
  sent({ priorityRank }: Call): void {
    if (priorityRank > this.#lowestRank) this.#lowestRank = priorityRank;
  }

  /** Whether calls that are less important than this one may wait at a replica. */
  mayPrecede({ priorityRank }: Call): boolean {
    return priorityRank < this.#lowestRank;
  }

  /** Whether another look may find calls to move. */
  isDue(at: number): boolean {
    return this.#endpoints.all.length > 1 && at - this.#lookedAt >= PAUSE_MS;
  }

  /** The calls that would start sooner elsewhere. */
  held(at: number): Iterable<Call> {
    this.#lookedAt = at;
    if (!this.#endpoints.hasOutstanding) this.#lowestRank = 0;
    return recallHeld(this.#endpoints.all, at, this.#endpoints.inService);
  }

  /** Calls that make way for a more important one. */
  below({ priorityRank }: Call): Iterable<Call> {
    return recallBelow(this.#endpoints.all, priorityRank);
  }
}

/** Whether a call would begin there at once. */
function hasPlace({ channel }: Endpoint, at: number): boolean {
  return channel.room(at) === RESERVED.ok && !channel.wouldWait;
}

function* takeBack({ channel }: Endpoint, isWanted: (call: Call) => boolean): Generator<Call> {
  for (const call of [...channel.waiting()])
    if (isMovable(call) && isWanted(call) && channel.takeBack(call)) yield call;
}

/** Both copies of a hedged call stay where they are, and moved or streamed data can be sent only once. */
function isMovable(call: OutboundCall): call is Call {
  if (!(call instanceof Call) || call.isPinned || call.hedge?.isSent === true) return false;
  return call.transfer === undefined && call.meta?.upload === undefined;
}
