import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seeded } from '../../../sim/engine/random.ts';
import type { FakeReplica } from '../../../test/support/routing/fake-replica.ts';
import { Harness } from '../../../test/support/routing/route-harness.ts';
import { machineTime, useTime } from '../../time/clock.ts';

let time: Disposable;

beforeEach(() => {
  time = useTime({ ...machineTime, random: seeded(7) });
});

afterEach(() => time[Symbol.dispose]());

/** Two replicas here with four places each, and an endpoint for eight replicas of another instance. */
function fleet(times = 1): { harness: Harness; local: FakeReplica[]; peer: FakeReplica } {
  const harness = new Harness();
  const local = [harness.start(4 * times), harness.start(4 * times)];
  return { harness, local, peer: harness.start(32 * times, 'peer') };
}

/** Two peers, each with room for one call that waits there, of which the first has no free place and costs least. */
function withFullPeer(): ReturnType<typeof fleet> & { full: FakeReplica } {
  const { harness, local, peer } = fleet();
  const full = harness.start(2, 'peer');
  takes(full, 1);
  takes(peer, 1_000);
  for (const replica of [full, peer]) replica.roomToWait = 1;
  full.ongoing = 2;
  return { harness, local, peer, full };
}

/** A call to this replica takes so long. */
function takes(replica: FakeReplica, ms: number): void {
  for (let time = 0; time < 100; time++) replica.endpoint.observe(ms, time * 1_000);
}

const ongoing = (replicas: FakeReplica[]): number => replicas.reduce((sum, one) => sum + one.ongoing, 0);

describe('a call with replicas here and in other instances', () => {
  test('stays here until the replicas are half full, however quick the others are', () => {
    const { harness, local, peer } = fleet();
    for (const replica of local) takes(replica, 10);
    takes(peer, 1);
    for (let call = 0; call < 4; call++) harness.call();
    expect([local.map(({ ongoing }) => ongoing), peer.ongoing]).toEqual([[2, 2], 0]);
  });

  test('goes where it costs less once they are half full, the way there included', () => {
    for (const [peerMs, least, most] of [
      // Two of the three are compared: in one case of three both are here.
      [1, 20, 35],
      [10_000, 0, 0],
    ] as const) {
      const { harness, local, peer } = fleet(10);
      for (const replica of local) takes(replica, 10);
      takes(peer, peerMs);
      for (let call = 0; call < 80; call++) harness.call();
      expect(peer.ongoing).toBeGreaterThanOrEqual(least);
      expect(peer.ongoing).toBeLessThanOrEqual(most);
      expect(ongoing(local)).toBe(80 - peer.ongoing);
    }
  });

  test('with preferLocal goes elsewhere when nothing is free here', () => {
    const { harness, local, peer } = fleet();
    for (const replica of local) takes(replica, 1_000);
    for (let call = 0; call < 8; call++) harness.call({ preferLocal: true });
    expect([ongoing(local), peer.ongoing]).toEqual([8, 0]);
    harness.call({ preferLocal: true });
    expect([ongoing(local), peer.ongoing]).toEqual([8, 1]);
  });

  test('without preference goes where it costs least', () => {
    const { harness, local, peer } = fleet();
    for (let call = 0; call < 30; call++) harness.call({ preferLocal: false });
    // As many for each place.
    expect(peer.ongoing).toBeGreaterThan(ongoing(local) * 2);
  });

  test.each([undefined, true, false])(
    'takes the last place, wherever it is (preferLocal: %s)',
    (preferLocal) => {
      const { harness, local, peer } = fleet();
      const options = preferLocal === undefined ? {} : { preferLocal };
      for (let call = 0; call < 40; call++) harness.call(options);
      expect([ongoing(local), peer.ongoing, harness.route.queued]).toEqual([8, 32, 0]);
      harness.call(options);
      expect(harness.route.queued).toBe(1);
    },
  );

  test.each([undefined, true, false])(
    'waits at a peer only when no place is free anywhere (preferLocal: %s)',
    (preferLocal) => {
      const { harness, local, peer, full } = withFullPeer();
      const options = preferLocal === undefined ? {} : { preferLocal };
      for (let call = 0; call < 40; call++) harness.call(options);
      expect([ongoing(local), peer.ongoing, full.ongoing, harness.route.queued]).toEqual([8, 32, 2, 0]);
      for (let call = 0; call < 3; call++) harness.call(options);
      expect([ongoing(local), peer.ongoing, full.ongoing, harness.route.queued]).toEqual([8, 33, 3, 1]);
    },
  );

  test('goes to a peer of which nothing is known: the call opens the link', () => {
    const { harness, local, peer } = fleet();
    for (const { endpoint } of local) harness.route.remove(endpoint.replicaId, undefined);
    peer.limit = 1;
    const unknown = harness.start(1, 'peer');
    peer.roomToWait = 1;
    for (let call = 0; call < 2; call++) harness.call();
    expect([peer.ongoing, unknown.ongoing]).toEqual([1, 1]);
  });

  test('that has a session goes to the replica of the session', () => {
    const { harness, local, peer } = fleet();
    for (let session = 0; session < 12; session++) harness.call({ session: `s${session}` });
    expect(peer.ongoing).toBeGreaterThan(0);
    expect(ongoing(local)).toBe(12 - peer.ongoing);
  });

  test('is in one tier again when the last of the others is gone', () => {
    const { harness, local, peer } = fleet();
    harness.route.remove(peer.endpoint.replicaId, undefined);
    for (let call = 0; call < 8; call++) harness.call();
    expect(local.map((replica) => replica.ongoing)).toEqual([4, 4]);
  });
});

test('an endpoint that had no room when its cost was computed gets calls once it has', () => {
  const { harness, local, peer } = fleet();
  for (const { endpoint } of [...local, peer]) harness.route.remove(endpoint.replicaId, undefined);
  const [full, late] = [harness.start(1, 'peer'), harness.start(0, 'peer')];
  full.ongoing = 1;
  harness.call();
  expect(harness.route.queued).toBe(1);
  late.limit = 1;
  harness.route.drain();
  expect([late.ongoing, harness.route.queued]).toEqual([1, 0]);
});

test('an endpoint for many replicas costs as much as one of them with as many calls for each place', () => {
  const { local, peer } = fleet();
  const [one] = local as [FakeReplica];
  for (const replica of [one, peer]) takes(replica, 10);
  one.ongoing = 1;
  peer.ongoing = 15;
  expect(peer.endpoint.score).toBeCloseTo(one.endpoint.score, 9);
});
