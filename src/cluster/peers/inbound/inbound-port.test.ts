import { expect, test } from 'vitest';
import { Harness } from '../../../../test/support/routing/route-harness.ts';
import { REPLICA_STATE, ReplicaLoad } from '../../../load/load-table.ts';
import { loop } from '../../../time/loop.ts';
import type { Link } from '../../../wire/link.ts';
import { PEER_FRAME } from '../../../wire/peer-frames.ts';
import { ServedDeployment } from '../served-deployment.ts';
import { InboundPeerCall } from './inbound-call.ts';
import { InboundPort } from './inbound-port.ts';

const REPLICAS = 10;
const PLACES = 4;

test('a caller that gets a call back hears its window again, since it sends nothing until it does', () => {
  const harness = new Harness();
  const loads = new Map<string, ReplicaLoad>();
  for (let count = 0; count < REPLICAS; count++) {
    const load = new ReplicaLoad();
    load.limit = PLACES;
    load.setState(REPLICA_STATE.ready);
    load.setOpen(PLACES, PLACES);
    loads.set(harness.start(PLACES).endpoint.replicaId, load);
  }
  const { route } = harness;
  const served = new ServedDeployment(route, loads, route.config, -1);
  const posted: Array<readonly unknown[]> = [];
  const link: Pick<Link, 'post'> = { post: (frame) => posted.push(frame) > 0 };
  const none = (): void => {};
  const port = new InboundPort(served, 1, link as Link, () => 0, none, none);
  expect(port.admit()).toBeUndefined();
  const call = new InboundPeerCall(route, 'call', 0, port);
  const memory = new ArrayBuffer(100_000);
  call.transfer = [memory];
  route.begin(call, 0);
  route.dispatchAccepted(call);
  // The memory moves to the replica and is lost with it: only the caller has it.
  memory.transfer();
  loop.flush();
  posted.length = 0;
  const replica = harness.replicas.find(({ open }) => open.length > 0);
  if (replica === undefined) throw new Error('the call was not sent');
  loads.delete(replica.endpoint.replicaId);
  harness.kill(replica, 0);
  loop.flush();
  expect(posted).toEqual([
    [PEER_FRAME.moved, 0],
    [PEER_FRAME.window, 1, (REPLICAS - 1) * PLACES + 1],
  ]);
});

test('a caller whose window its calls for all replicas have used up is told another one while they run', () => {
  const { route } = new Harness();
  const served = new ServedDeployment(route, new Map(), route.config, -1);
  const posted: Array<readonly unknown[]> = [];
  const link: Pick<Link, 'post'> = { post: (frame) => posted.push(frame) > 0 };
  const none = (): void => {};
  const port = new InboundPort(served, 1, link as Link, () => 0, none, none);
  expect(posted.splice(0)).toEqual([[PEER_FRAME.window, 1, 1]]);
  port.entered();
  loop.flush();
  expect(posted).toEqual([[PEER_FRAME.window, 1, 2]]);
});
