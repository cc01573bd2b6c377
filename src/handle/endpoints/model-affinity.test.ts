import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeReplica } from '../../../test/support/routing/fake-replica.ts';
import {
  cluster,
  end,
  hold,
  LOAD_MS,
  learn,
  stoppedTime,
  time,
} from '../../../test/support/routing/model-calls.ts';
import { Harness, outcomes } from '../../../test/support/routing/route-harness.ts';

let clock: Disposable;

beforeEach(() => {
  clock = stoppedTime();
});

afterEach(() => {
  clock[Symbol.dispose]();
});

describe('calls for a model', () => {
  test('wait for the replica that holds it, and stop no others', () => {
    const { harness, replicas } = cluster('hot', 'other');
    const [hot, other] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 20);
    const calls = [1, 2, 3].map(() => harness.call({ model: 'hot' }));
    expect([hot.open, other.open]).toEqual([[calls[0]], []]);

    // Neither calls for another model nor calls for none wait for those.
    const another = harness.call({ model: 'other' });
    expect(other.open).toEqual([another]);
    end(other);
    const any = harness.call();
    expect(other.open).toEqual([any]);
    // With all places taken each waits for its own.
    const [behind, last] = [harness.call({ model: 'other' }), harness.call()];
    end(other);
    expect(other.open).toEqual([behind]);
    end(other);
    expect(other.open).toEqual([last]);
    for (const call of calls) {
      expect(hot.open).toEqual([call]);
      end(hot);
    }
    end(other);
    expect(harness.load.queued).toBe(0);
    expect(outcomes(harness.calls)).toEqual(harness.calls.map(() => 'ok'));
  });

  test('go to a holder where they run at once, and load at one, rather than where they wait', () => {
    const harness = new Harness();
    const [full, free] = [harness.start(1, 'peer'), harness.start(4, 'peer')];
    full.roomToWait = 1;
    full.ongoing = 1;
    for (let call = 0; call < 20; call++) free.endpoint.observe(1_000, time.at);
    for (const peer of [full, free]) hold(peer, ['m']);
    harness.call({ model: 'm' });
    expect([full.open.length, free.open.length]).toEqual([0, 1]);
    hold(full, []);
    harness.call({ model: 'new' });
    expect([full.open.length, free.open.length]).toEqual([0, 2]);
    free.limit = 2;
    harness.call({ model: 'newer' });
    expect([full.open.length, free.open.length]).toEqual([1, 2]);
  });

  test('wait while the calls before them take less time than a load, and go elsewhere from then on', () => {
    const { harness, replicas } = cluster('hot', '');
    const [hot, spare] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 20);
    for (let call = 0; call < 5; call++) harness.call({ model: 'hot' });
    expect([harness.route.queued, spare.open]).toEqual([4, []]);
    // A fifth one would wait for 5 × 20 ms: the first one is loaded for.
    harness.call({ model: 'hot' });
    expect([harness.route.queued, spare.open.length]).toEqual([4, 1]);
    // Its model is on the way there, so no third replica loads it.
    const third = harness.start();
    hold(third, []);
    harness.call({ model: 'hot' });
    expect([harness.route.queued, third.open.length]).toEqual([5, 0]);
  });

  test('a load that evicts another model costs two, since that one has to come back', () => {
    const { harness, replicas } = cluster('hot', 'other');
    const [hot, other] = replicas as [FakeReplica, FakeReplica];
    hold(other, ['other'], true);
    learn(harness, hot, 'hot', 20);
    for (let call = 0; call < 10; call++) harness.call({ model: 'hot' });
    expect([harness.route.queued, other.open.length]).toEqual([9, 0]);
    harness.call({ model: 'hot' });
    expect([harness.route.queued, other.open.length]).toEqual([9, 1]);
  });

  test('go elsewhere once they have waited as long as a load takes, whatever was expected', () => {
    const { harness, replicas } = cluster('hot', '');
    const [hot, spare] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 20);
    const [endless, waiting] = [harness.call({ model: 'hot' }), harness.call({ model: 'hot' })];
    time.at += LOAD_MS - 1;
    harness.route.tend(time.at);
    expect([hot.open, spare.open]).toEqual([[endless], []]);
    time.at += 1;
    harness.route.tend(time.at);
    expect(spare.open).toEqual([waiting]);
  });

  test('wait for one call that runs while nothing is known, and share the load that is on its way', () => {
    const harness = new Harness();
    const replicas = [harness.start(), harness.start(), harness.start()];
    for (const { models } of replicas) models.keepsModels = true;
    const calls = [1, 2, 3].map(() => harness.call({ model: 'new' }));
    const homes = calls.map(({ endpoint }) => endpoint?.replicaId);
    expect(homes[1]).toBeUndefined();
    // The third one does not wait for two.
    expect(new Set(homes).size).toBe(3);
  });

  test('that waited for the load give a first guess of how long calls run', () => {
    const { harness, replicas } = cluster('', '');
    const first = harness.call({ model: 'new' });
    const [home, spare] = (first.endpoint?.replicaId === 'r0' ? replicas : replicas.toReversed()) as [
      FakeReplica,
      FakeReplica,
    ];
    hold(home, ['new']);
    end(home, LOAD_MS + 20);
    for (let call = 0; call < 5; call++) harness.call({ model: 'new' });
    expect([harness.route.queued, spare.open]).toEqual([4, []]);
  });

  test('of a deployment that keeps no models spill to any free replica', () => {
    const harness = new Harness();
    const homes = [harness.start(), harness.start(), harness.start()].map(
      () => harness.call({ model: 'm' }).endpoint?.replicaId,
    );
    expect(new Set(homes)).toEqual(new Set(['r0', 'r1', 'r2']));
  });

  test('are loaded where there is room, else where the model that goes was used longest ago', () => {
    const { harness, replicas } = cluster('a', 'b', '');
    const [a, b, empty] = replicas as [FakeReplica, FakeReplica, FakeReplica];
    hold(a, ['a'], true);
    hold(b, ['b'], true);
    b.models.stalestAt = 500;
    a.models.stalestAt = 700;
    const homeOf = (model: string) => harness.call({ model }).endpoint?.replicaId;
    expect(homeOf('c')).toBe(empty.endpoint.replicaId);
    expect(homeOf('d')).toBe(b.endpoint.replicaId);
    expect(homeOf('e')).toBe(a.endpoint.replicaId);
  });

  test('keep the order of priorities, deadlines and arrival among those that can be placed', () => {
    const { harness, replicas } = cluster('hot', 'other');
    const [hot] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 1);
    harness.call({ model: 'hot' });
    const late = harness.call({ model: 'hot' });
    const later = harness.call({ model: 'hot' });
    const tight = harness.call({ model: 'hot', leftMs: 5_000 });
    const critical = harness.call({ model: 'hot', rank: 0 });
    const sheddable = harness.call({ model: 'hot', rank: 3, leftMs: 4_000 });
    const order: unknown[] = [];
    for (end(hot); hot.open.length > 0; end(hot)) order.push(hot.open[0]);
    expect(order).toEqual([critical, tight, late, later, sheddable]);
  });

  test('share a replica fairly between tenants while they wait for their models', () => {
    const { harness, replicas } = cluster('', '');
    const [both, idle] = replicas as [FakeReplica, FakeReplica];
    hold(both, ['a', 'b']);
    idle.limit = 0;
    learn(harness, both, 'a', 1);
    idle.limit = 1;
    harness.call({ model: 'a' });
    const flood = Array.from({ length: 20 }, () => harness.call({ model: 'a', tenant: 'flood' }));
    const small = Array.from({ length: 3 }, () => harness.call({ model: 'b', tenant: 'small' }));
    const order: unknown[] = [];
    for (end(both); order.length < 6; end(both)) order.push(both.open[0]);
    expect(order.filter((call) => small.includes(call as never))).toEqual(small);
    expect(order.filter((call) => flood.includes(call as never))).toEqual(flood.slice(0, 3));
  });

  test('that are cancelled or expire while they wait leave at once, and leave nothing behind', () => {
    const { harness, replicas } = cluster('hot', 'other');
    const [hot] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 1);
    harness.call({ model: 'hot' });
    const [cancelled, expired, stays] = [
      harness.call({ model: 'hot' }),
      harness.call({ model: 'hot', leftMs: 50 }),
      harness.call({ model: 'hot' }),
    ] as const;
    cancelled.cancel();
    time.at += 50;
    expired.expire(time.at);
    expect(outcomes([cancelled, expired])).toEqual(['SERVE_CANCELLED', 'SERVE_TIMEOUT']);
    expect([harness.load.queued, harness.route.queued]).toEqual([1, 1]);
    end(hot);
    expect(hot.open).toEqual([stays]);
    end(hot);
    expect(harness.load.queued).toBe(0);
    expect(harness.load.hasWaitingAbove(4, time.at)).toBe(false);
  });

  test('go elsewhere at once when their replica dies', () => {
    const { harness, replicas } = cluster('hot', '');
    const [hot, spare] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 1);
    harness.call({ model: 'hot' });
    const waiting = harness.call({ model: 'hot' });
    expect(spare.open).toEqual([]);
    harness.kill(hot, 1);
    expect(spare.open).toEqual([waiting]);
  });

  test('go elsewhere when their replica gives the model up', () => {
    const { harness, replicas } = cluster('hot', '');
    const [hot, spare] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 1);
    harness.call({ model: 'hot' });
    const [waiting, behind] = [harness.call({ model: 'hot' }), harness.call({ model: 'hot' })];
    hold(hot, ['another one']);
    harness.route.drain();
    expect(spare.open).toEqual([waiting]);
    // That one brings the model, and the next one waits for it there.
    end(spare);
    expect(spare.open).toEqual([behind]);
  });

  test('that need a load give way to those whose model is there, until they have waited twice as long', () => {
    const { harness, replicas } = cluster('hot');
    const [only] = replicas as [FakeReplica];
    learn(harness, only, 'hot', 20);
    harness.call({ model: 'hot' });
    const cold = harness.call({ model: 'cold' });
    const order: unknown[] = [];
    // Hot calls go on coming, and each waits for 20 ms.
    for (let step = 0; step < 50 && !order.includes(cold); step++) {
      harness.call({ model: 'hot' });
      end(only, 20);
      order.push(only.open[0]);
    }
    expect(order.indexOf(cold)).toBeGreaterThan(3);
    expect(order.indexOf(cold)).toBeLessThan(10);
    // A more important one does not give way.
    end(only);
    const urgent = harness.call({ model: 'cold too', rank: 0 });
    end(only);
    expect(only.open).toEqual([urgent]);
  });

  test('are not starved by calls for no model, nor starve those', () => {
    const { harness, replicas } = cluster('hot', 'other');
    const [hot, other] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 1);
    const order: string[] = [];
    for (const [calls, model] of [
      [6, 'hot'],
      [6, undefined],
    ] as const)
      for (let call = 0; call < calls; call++) harness.call(model === undefined ? {} : { model });
    while (hot.open.length + other.open.length > 0) {
      for (const replica of [hot, other]) {
        const [first] = replica.open;
        if (first === undefined) continue;
        order.push(first.meta === undefined ? 'any' : 'hot');
        end(replica);
      }
    }
    expect(order).toHaveLength(12);
    expect(order.slice(0, 6).filter((kind) => kind === 'any').length).toBe(3);
  });

  test('more important ones that wait for their model hold up no calls of other threads', () => {
    const mine = new Harness();
    const theirs = new Harness({}, -1, undefined, mine);
    const replicas = [new FakeReplica('r0', 1), new FakeReplica('r1', 1)] as const;
    hold(replicas[0], ['hot']);
    hold(replicas[1], ['other']);
    for (const { route } of [mine, theirs]) for (const { endpoint } of replicas) route.add(endpoint);
    learn(mine, replicas[0], 'hot', 20);
    mine.call({ model: 'hot' });
    const waiting = mine.call({ model: 'hot', rank: 0 });
    const less = theirs.call({ rank: 3 });
    expect(replicas[1].open).toEqual([less]);
    // When no place is free they wait for any of them, like all calls.
    mine.route.drain();
    theirs.call({ rank: 3 });
    end(replicas[0]);
    expect(replicas[0].open).toEqual([waiting]);
  });
});
