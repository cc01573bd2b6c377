import { RESERVED } from '../pool/load-table.ts';
import type { OutboundCall } from '../pool/outbound-call.ts';
import { Call } from './call.ts';
import type { Endpoint } from './endpoint.ts';

/**
 * Takes back calls that wait at a replica whose loop is held, where another replica has room for them; from one that is
 * stuck, all of them.
 *
 * @param at now
 * @param inService the replicas that calls may go to
 */
export function* recallHeld(
  endpoints: readonly Endpoint[],
  at: number,
  inService: readonly Endpoint[],
): Generator<Call> {
  for (const endpoint of endpoints) {
    const { channel } = endpoint;
    if (channel.outstanding === 0 || !channel.isHeld(at)) continue;
    const { isStuck } = channel;
    const mayMove = (): boolean =>
      isStuck || inService.some((other) => other !== endpoint && other.channel.room(at) === RESERVED.ok);
    if (mayMove())
      yield* takeBack(endpoint, ({ meta }) => {
        // A session waits for its own replica.
        return (isStuck || meta?.sessionId === undefined) && mayMove();
      });
  }
}

/** Takes back calls that have not begun and are less important than this rank. */
export function* recallBelow(endpoints: readonly Endpoint[], rank: number): Generator<Call> {
  for (const endpoint of endpoints) yield* takeBack(endpoint, (call) => call.priorityRank > rank);
}

/** Whether any of the replicas has calls of this thread. */
export function hasOutstanding(endpoints: readonly Endpoint[]): boolean {
  return endpoints.some(({ channel }) => channel.outstanding > 0);
}

function* takeBack({ channel }: Endpoint, isWanted: (call: Call) => boolean): Generator<Call> {
  for (const call of [...channel.waiting()])
    if (isMovable(call) && isWanted(call) && channel.takeBack(call)) yield call;
}

/** Both copies of a hedged call stay where they are, and what was moved or is streamed can be sent only once. */
function isMovable(call: OutboundCall): call is Call {
  if (!(call instanceof Call) || call.isPinned || call.hedge?.isSent === true) return false;
  return call.transfer === undefined && call.meta?.upload === undefined;
}
