import { outcomesOf } from '../../channel/fan-out.ts';
import { ServeError } from '../../errors.ts';
import { now } from '../../time/clock.ts';
import { wheel } from '../../time/timer-wheel.ts';
import type { Route } from '../routing/route.ts';
import type { BroadcastResponse } from './handle-types.ts';
import { PromiseCall } from './response.ts';

type Outcomes = PromiseSettledResult<unknown>[];

/** A call to one replica, or to all replicas of another instance. It goes nowhere else. */
export class BroadcastCall extends PromiseCall {
  override returned(): void {
    this.orphaned(false, undefined);
  }
}

/**
 * Calls every replica of a deployment. Replicas of this instance get a call each; another instance gets one call, which it passes
 * on to each of its replicas.
 *
 * @param instance the instance that calls
 * @param prepare makes a call
 * @param take captures the arguments for the call; false if it has failed
 */
export function broadcast(
  route: Route,
  instance: string,
  prepare: () => BroadcastCall,
  take: (call: BroadcastCall) => boolean,
): BroadcastResponse<unknown> {
  const send = (next: NextCall): Promise<Outcomes>[] => callEach(route, instance, next);
  const taken = (): BroadcastCall => {
    const call = prepare();
    if (!call.isSettled) take(call);
    return call;
  };
  const { listed } = route;
  if (listed === undefined) return respond(route, Promise.resolve(send(taken)));
  // Until the thread knows the replicas one call waits for all of them, with their deadline, signal and arguments.
  const first = taken();
  const { args, marks, bytes, transfer } = first;
  const another = (): BroadcastCall => {
    const call = prepare();
    // Large memory moves with the call that carries it.
    const own = transfer === undefined ? { args, marks } : structuredClone({ args, marks });
    call.takeAgain(own.args, call.meta, own.marks);
    call.bytes = bytes;
    return call;
  };
  const isOver = first.response.then(
    () => {},
    () => {},
  );
  const parts = Promise.race([listed, isOver]).then(() => {
    if (first.isSettled) return [first.response.then(succeeded, failed)];
    first.ready(now());
    // The others are copies of the first call, whose memory is here until it is sent.
    const sent = send((isLast) => (isLast ? first : another()));
    if (sent.length === 0) first.reject(noReplica(route));
    return sent;
  });
  return respond(route, parts);
}

/** Makes the call to the next replica. */
type NextCall = (isLast: boolean) => BroadcastCall;

function callEach(route: Route, instance: string, next: NextCall): Promise<Outcomes>[] {
  const parts: Promise<Outcomes>[] = [];
  const endpoints = route.reserveEach();
  for (let reserved = endpoints.next(); reserved.done !== true; ) {
    const endpoint = reserved.value;
    reserved = endpoints.next();
    const call = next(reserved.done === true);
    const isFannedOut = endpoint.instanceId !== instance || endpoint.channel.fansOut === true;
    if (isFannedOut) call.meta = { ...call.meta, fanOut: true };
    if (call.isSettled) endpoint.channel.unreserve();
    else route.dispatchTo(call, endpoint);
    // The other thread minds the deadline, and then answers with the outcomes of the replicas that were quicker.
    if (endpoint.channel.fansOut === true) wheel.remove(call);
    parts.push(call.response.then(isFannedOut ? outcomesOf : succeeded, failed));
  }
  return parts;
}

function respond(route: Route, sent: Promise<Promise<Outcomes>[]>): BroadcastResponse<unknown> {
  const settled = sent
    .then((parts) => Promise.all(parts))
    .then((lists) => {
      const all = lists.flat();
      if (all.length > 0) return all;
      throw noReplica(route);
    });
  // The first failure rejects, whatever the others still do.
  const first = sent.then((parts) =>
    Promise.all(parts.map((part) => part.then((outcomes) => void outcomes.map(resultOf)))),
  );
  const all = Promise.all([first, settled]).then(([, outcomes]) => outcomes.map(resultOf));
  // The caller may observe one of both only.
  all.catch(() => {});
  settled.catch(() => {});
  return Object.assign(all, { settled: () => settled });
}

function noReplica({ app, deployment }: Route): ServeError {
  return new ServeError('SERVE_UNAVAILABLE', `${deployment}: no replica is running`, { app, deployment });
}

function succeeded(value: unknown): Outcomes {
  return [{ status: 'fulfilled', value }];
}

function failed(reason: unknown): Outcomes {
  return [{ status: 'rejected', reason }];
}

function resultOf(outcome: PromiseSettledResult<unknown>): unknown {
  if (outcome.status === 'rejected') throw outcome.reason;
  return outcome.value;
}
