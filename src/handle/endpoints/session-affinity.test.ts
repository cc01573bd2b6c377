import { describe, expect, test } from 'vitest';
import { FakeReplica } from '../../../test/support/routing/fake-replica.ts';
import { TimedDeployment } from '../../../test/support/routing/timed-deployment.ts';
import { SessionTable } from '../../load/session-table.ts';
import type { Endpoint } from './endpoint.ts';
import { SessionAffinity } from './session-affinity.ts';

function replicas(count: number): Endpoint[] {
  return Array.from({ length: count }, (_, index) => new FakeReplica(`r${index}`, 16).endpoint);
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `session-${index}`);

function homeOf(affinity: SessionAffinity, session: string, endpoints: readonly Endpoint[]): string {
  return ([...affinity.rank(session, endpoints)][0] as Endpoint).replicaId;
}

function orderOf(affinity: SessionAffinity, session: string, endpoints: readonly Endpoint[]): string[] {
  return [...affinity.rank(session, endpoints)].map(({ replicaId }) => replicaId);
}

/** A session of that many calls, each of so many ms. */
function work(affinity: SessionAffinity, session: string, calls: number, ms: number): void {
  for (let call = 0; call < calls; call++) affinity.worked(session, ms);
}

describe('sessions', () => {
  test('are spread over the replicas, each with an order of its own in which its calls go elsewhere', () => {
    const affinity = new SessionAffinity();
    const endpoints = replicas(4);
    const orders = names(400).map((session) => orderOf(affinity, session, endpoints));
    for (const order of orders) expect(order.toSorted()).toEqual(['r0', 'r1', 'r2', 'r3']);
    for (const { replicaId } of endpoints)
      expect(orders.filter(([home]) => home === replicaId).length).toBeGreaterThan(70);
    expect(new Set(orders.map((order) => order.join())).size).toBe(24);
    expect(names(400).map((session) => orderOf(affinity, session, endpoints.toReversed()))).toEqual(orders);
  });

  test('leave a replica that has more than its share of the work, the busiest first, and stay where they are then', () => {
    const affinity = new SessionAffinity();
    const endpoints = replicas(4);
    const sessions = names(200);
    const before = sessions.map((session) => homeOf(affinity, session, endpoints));
    const busy = sessions.filter((_, index) => before[index] === 'r0');
    affinity.balance(1_000, endpoints);
    for (const session of sessions) work(affinity, session, 5, busy.includes(session) ? 40 : 10);
    for (let call = 0; call < 5; call++) work(affinity, busy[0] as string, 20, 40);
    affinity.balance(1_100, endpoints);
    const after = sessions.map((session) => homeOf(affinity, session, endpoints));
    const moved = sessions.filter((_, index) => after[index] !== before[index]);
    expect(moved.every((session) => busy.includes(session))).toBe(true);
    expect(moved).toContain(busy[0]);
    expect(moved.length).toBeLessThan(busy.length * 0.8);
    const shareOf = (places: readonly string[]): number => {
      const of = (session: string): number =>
        (busy.includes(session) ? 40 : 10) * (session === busy[0] ? 105 : 5);
      const total = sessions.reduce((sum, session) => sum + of(session), 0);
      const own = sessions.filter((_, index) => places[index] === 'r0');
      return (own.reduce((sum, session) => sum + of(session), 0) / total) * 4;
    };
    expect(shareOf(before)).toBeGreaterThan(1.8);
    expect(shareOf(after)).toBeLessThan(1.16);
    // Long after it, without a call.
    affinity.balance(60_000, endpoints);
    expect(sessions.map((session) => homeOf(affinity, session, endpoints))).toEqual(after);

    // A replica more or less moves only what it wins or what was its own, also of those that have moved.
    const [first, ...others] = endpoints as [Endpoint, ...Endpoint[]];
    const without = sessions.map((session) => homeOf(affinity, session, [first, ...others.slice(1)]));
    for (const [index, place] of without.entries())
      if (after[index] !== 'r1') expect(place).toBe(after[index]);
    const more = [...endpoints, new FakeReplica('r4', 16).endpoint];
    for (const [index, session] of sessions.entries())
      expect([after[index], 'r4']).toContain(homeOf(affinity, session, more));
  });

  test('have the same replica in all threads', () => {
    const table = new SessionTable();
    const threads = [new SessionAffinity(), new SessionAffinity()] as const;
    for (const thread of threads) thread.adopt(new SessionTable(table.shared));
    const endpoints = replicas(3);
    const sessions = names(100);
    for (const thread of threads) thread.balance(1_000, endpoints);
    for (const [index, session] of sessions.entries())
      work(
        threads[index % 2] as SessionAffinity,
        session,
        3,
        homeOf(threads[0], session, endpoints) === 'r1' ? 90 : 10,
      );
    const before = sessions.map((session) => homeOf(threads[1], session, endpoints));
    threads[0].balance(1_600, endpoints);
    const [one, other] = threads.map((thread) =>
      sessions.map((session) => homeOf(thread, session, endpoints)),
    );
    expect(one).toEqual(other);
    expect(one).not.toEqual(before);
  });

  test('stay where they are while there are few calls', () => {
    const affinity = new SessionAffinity();
    const endpoints = replicas(4);
    affinity.balance(1_000, endpoints);
    const before = names(20).map((session) => homeOf(affinity, session, endpoints));
    for (const [index, session] of names(20).entries())
      work(affinity, session, 9, before[index] === 'r0' ? 99 : 1);
    affinity.balance(1_600, endpoints);
    expect(names(20).map((session) => homeOf(affinity, session, endpoints))).toEqual(before);
  });

  test('that are alone too much for any replica stay, and the others leave them alone', () => {
    const affinity = new SessionAffinity();
    const endpoints = replicas(4);
    const home = homeOf(affinity, 'hot', endpoints);
    affinity.balance(1_000, endpoints);
    work(affinity, 'hot', 300, 20);
    for (const session of names(100)) work(affinity, session, 2, 20);
    for (let at = 1_600; at < 8_000; at += 500) affinity.balance(at, endpoints);
    expect(homeOf(affinity, 'hot', endpoints)).toBe(home);
    expect(names(100).filter((session) => homeOf(affinity, session, endpoints) === home)).toEqual([]);
  });

  test('end at the same replica, whichever instance of a fleet they enter', () => {
    const ids = [['a0', 'a1', 'a2'], ['b0'], ['c0', 'c1']];
    /** The endpoints as the instance of this index sees them: its replicas, and one endpoint for each other instance. */
    const seenBy = (instance: number): Endpoint[] =>
      ids.flatMap((own, index) => {
        if (index === instance) return own.map((id) => new FakeReplica(id, 16).endpoint);
        // Each instance knows the others under a name of its own.
        const peer = new FakeReplica(`peer-${index}-of-${instance}`, 16, 'peer');
        peer.standFor(own);
        return [peer.endpoint];
      });
    const affinity = new SessionAffinity();
    const views = ids.map((_, instance) => seenBy(instance));
    const inside = ids.map((own) => own.map((id) => new FakeReplica(id, 16).endpoint));
    const replicaOf = (session: string, instance: number): string => {
      const home = [...affinity.rank(session, views[instance] as Endpoint[])][0] as Endpoint;
      if (home.channel.tier === 'local') return home.replicaId;
      // The peer's fleet thread sees the replicas of its own instance only.
      return homeOf(affinity, session, inside[Number(home.replicaId.split('-')[1])] as Endpoint[]);
    };
    const places = names(300).map((session) => ids.map((_, instance) => replicaOf(session, instance)));
    for (const place of places) expect(new Set(place).size).toBe(1);
    for (const id of ids.flat()) expect(places.filter(([place]) => place === id).length).toBeGreaterThan(25);
    // Without an instance only its own sessions move.
    const [, , third] = views as [Endpoint[], Endpoint[], Endpoint[]];
    const left = third.filter(({ replicaId }) => !replicaId.startsWith('peer-1-'));
    for (const [index, session] of names(300).entries()) {
      const [before] = places[index] as [string];
      const home = [...affinity.rank(session, left)][0] as Endpoint;
      if (before === 'b0') continue;
      expect(home.channel.tier).toBe(before.startsWith('c') ? 'local' : 'peer');
    }
  });

  test('that an instance has moved to another of its replicas have that one for its peers as well', () => {
    const affinity = new SessionAffinity();
    const own = replicas(3);
    const peer = new FakeReplica('peer', 16, 'peer');
    peer.standFor(['x0', 'x1']);
    const all = [...own, peer.endpoint];
    affinity.balance(1_000, all);
    const here = names(200).filter((session) => homeOf(affinity, session, all) !== 'peer');
    for (const session of here) work(affinity, session, 4, homeOf(affinity, session, own) === 'r0' ? 90 : 10);
    affinity.balance(1_600, all);
    const homes = here.map((session) => homeOf(affinity, session, own));
    expect(homes).not.toEqual(here.map((session) => homeOf(new SessionAffinity(), session, own)));
    expect(here.map((session) => homeOf(affinity, session, all))).toEqual(homes);
    for (const session of names(200).filter((name) => !here.includes(name)))
      expect(homeOf(affinity, session, all)).toBe('peer');
  });

  test.each([
    [4, 400, 64, 1.5],
    [8, 400, 64, 1.5],
    [8, 2_000, 10_000, 2.5],
    [16, 100, 200, 1.5],
  ])('on %d replicas, %d calls/s of %d sessions: bounded and sticky', (count, perSecond, sessions, skew) => {
    using deployment = new TimedDeployment(1);
    for (let replica = 0; replica < count; replica++)
      deployment.start({ ms: () => deployment.exponential(4_000 / perSecond) }, 64);
    // Denser towards 0: the busiest session makes many times the calls of the median one.
    const pick = (): string => `session-${Math.floor(sessions * deployment.random() ** skew)}`;
    deployment.run(10_000, perSecond, pick);
    const [from, mark] = [deployment.now, deployment.sent.length];
    deployment.run(20_000, perSecond, pick);
    const shares = deployment.harness.replicas.map((replica) => deployment.share(replica, from) * count);
    expect(Math.max(...shares)).toBeLessThan(1.25);
    const last = new Map<string | undefined, string>();
    let stayed = 0;
    const calls = deployment.sent.slice(mark);
    for (const { call, replica } of calls) {
      const session = call.meta?.sessionId;
      const { replicaId } = replica.endpoint;
      if ((last.get(session) ?? replicaId) === replicaId) stayed++;
      last.set(session, replicaId);
    }
    expect(stayed / calls.length).toBeGreaterThan(0.95);
  });
});
