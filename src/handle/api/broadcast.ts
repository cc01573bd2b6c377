import { outcomesOf } from '../../channel/fan-out.ts';
import { ServeError } from '../../errors.ts';
import { RESERVED } from '../../load/load-table.ts';
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
  const parts: Promise<Outcomes>[] = [];
  for (const endpoint of [...route.endpoints]) {
    // Replicas that are not ready are skipped.
    if (endpoint.channel.reserveBeyondLimit() !== RESERVED.ok) continue;
    const call = prepare();
    const isFannedOut = endpoint.instanceId !== instance || endpoint.channel.fansOut === true;
    if (isFannedOut) call.meta = { ...call.meta, fanOut: true };
    if (!call.isSettled && take(call)) route.dispatchTo(call, endpoint);
    else endpoint.channel.unreserve();
    parts.push(call.response.then(isFannedOut ? outcomesOf : succeeded, failed));
  }
  const { app, deployment } = route;
  const settled = Promise.all(parts).then((lists) => {
    const all = lists.flat();
    if (all.length > 0) return all;
    throw new ServeError('SERVE_UNAVAILABLE', `${deployment}: no replica is running`, { app, deployment });
  });
  // The first failure rejects, whatever the others still do.
  const first = parts.map((part) => part.then((outcomes) => void outcomes.map(resultOf)));
  const all = Promise.all([...first, settled]).then(() => settled.then((outcomes) => outcomes.map(resultOf)));
  // The caller may observe one of both only.
  all.catch(() => {});
  settled.catch(() => {});
  return Object.assign(all, { settled: () => settled });
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
