import { expect, test, vi } from 'vitest';
import { LinkedChannel } from '../../../test/support/fleet/linked-channel.ts';
import { RecordedCall } from '../../../test/support/link.ts';
import { CallerChannel } from '../../channel/caller-channel.ts';
import { LinkLedger } from '../../channel/link-ledger.ts';
import { PortTransport } from '../../channel/port-transport.ts';
import { DeploymentLoad } from '../../load/deployment-load.ts';
import { REPLICA_STATE, RESERVED, ReplicaLoad } from '../../load/load-table.ts';
import { ReplicaHashTable } from '../../load/replica-hashes.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import { now } from '../../time/clock.ts';
import { loop } from '../../time/loop.ts';
import { PEER_FRAME } from '../../wire/peer-frames.ts';
import { Relay } from './relay.ts';

const METHODS = ['first', 'second'];
/** More than a link may have to send before it takes no further call. */
const MUCH = 9_000_000;

/** A relay, and the end of a channel to it in the thread of a replica. */
function relayed() {
  const peer = new LinkedChannel();
  const load = new ReplicaLoad();
  load.setState(REPLICA_STATE.ready);
  const relay = new Relay(peer.channel, METHODS, {
    load,
    deploymentLoad: new DeploymentLoad(),
    replicaHashes: new ReplicaHashTable(),
  });
  const { port1, port2 } = new MessageChannel();
  const ledger = new LinkLedger();
  relay.attach('replica', port2, ledger.shared);
  const methods = new Map(METHODS.map((name, index) => [name, index]));
  const replica = new CallerChannel(
    new PortTransport(port1),
    ledger,
    { load, tally: new ReplicaTally(), methods, replicaHashes: new ReplicaHashTable() },
    () => {},
  );
  const send = (...args: unknown[]): RecordedCall => {
    expect(replica.reserve(now())).toBe(RESERVED.ok);
    const call = new RecordedCall('first', args);
    replica.send(call);
    return call;
  };
  const room = (): number[] => [replica.reserve(now()), replica.reserveToWait()];
  return {
    peer,
    replica,
    send,
    room,
    [Symbol.dispose]() {
      relay.close(undefined);
      replica.close(undefined);
    },
  };
}

test.each([
  ['a call has ended', true],
  ['all is sent', false],
])(
  'calls wait with their replicas while the link has much to send, and come again once %s',
  async (_, isAnswered) => {
    using relay = relayed();
    const { peer, send, room } = relay;
    peer.open(10);
    peer.partBytes = MUCH;
    const first = send(new Uint8Array(100_000));
    await vi.waitUntil(() => peer.channel.outstanding === 1);
    peer.partBytes = 0;
    expect(await send().over).toMatchObject({ type: 'orphaned', started: false });
    expect(room()).toEqual([RESERVED.full, RESERVED.full]);
    peer.unsent = 0;
    if (isAnswered) {
      peer.answer(0);
      await first.over;
    } else {
      peer.write();
    }
    const before = peer.channel.outstanding;
    const second = send();
    await vi.waitUntil(() => peer.channel.outstanding === before + 1);
    peer.answer(before);
    expect(await second.over).toEqual({ type: 'result', value: 'answer' });
  },
);

test('calls wait as well where others have filled the link, and no call of the relay is under way', async () => {
  using relay = relayed();
  const { peer, send, room } = relay;
  peer.open(10);
  peer.unsent = MUCH;
  peer.link.post([PEER_FRAME.ping, 1]);
  loop.flush();
  expect(await send().over).toMatchObject({ type: 'orphaned', started: false });
  expect(room()).toEqual([RESERVED.full, RESERVED.full]);
  peer.unsent = 0;
  peer.write();
  const call = send();
  await vi.waitUntil(() => peer.channel.outstanding === 1);
  peer.answer(0);
  expect(await call.over).toEqual({ type: 'result', value: 'answer' });
});

test('calls wait with their replicas while the peer cannot be reached, and come again over the next link', async () => {
  using relay = relayed();
  const { peer, send, room } = relay;
  peer.open(10);
  peer.isDown = true;
  peer.channel.unlinked(undefined);
  expect(await send().over).toMatchObject({ type: 'orphaned', started: false });
  expect(room()).toEqual([RESERVED.full, RESERVED.full]);
  peer.isDown = false;
  peer.relink();
  peer.channel.sendWaiting();
  const call = send();
  await vi.waitUntil(() => peer.channel.outstanding === 1);
  loop.flush();
  peer.answer(0);
  expect(await call.over).toEqual({ type: 'result', value: 'answer' });
});

test('replicas know whether a call would wait at the peer', () => {
  using relay = relayed();
  const { peer, replica } = relay;
  expect(replica.wouldWait).toBe(false);
  peer.open(1);
  expect([replica.room(now()), replica.wouldWait]).toEqual([RESERVED.ok, true]);
  peer.open(3);
  expect(replica.wouldWait).toBe(false);
  expect([replica.reserve(now()), replica.wouldWait]).toEqual([RESERVED.ok, false]);
  expect([replica.reserve(now()), replica.wouldWait]).toEqual([RESERVED.ok, true]);
  expect(replica.room(now())).toBe(RESERVED.ok);
});
