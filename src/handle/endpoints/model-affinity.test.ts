import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeReplica } from '../../../test/support/routing/fake-replica.ts';
import { Harness, outcomes } from '../../../test/support/routing/route-harness.ts';
import { hash } from '../../load/hash.ts';
import { machineTime, useTime } from '../../time/clock.ts';

const LOAD_MS = 100;

let at = 1_000;
let clock: Disposable;

beforeEach(() => {
  at = 1_000;
  clock = useTime({ ...machineTime, now: () => at });
});

afterEach(() => {
  clock[Symbol.dispose]();
});

/** Says that a replica holds these models, each loaded in 100 ms. @param isFull the next one takes the place of another */
function hold(replica: FakeReplica, models: readonly string[], isFull = false): void {
  replica.models.keepsModels = true;
  replica.models.loadMs = LOAD_MS;
  replica.models.stalestAt = isFull ? 1 : 0;
  replica.models.advertise(models.map(hash));
}

/** Replicas that hold one model each, with one place. */
function cluster(...models: string[]): { harness: Harness; replicas: FakeReplica[] } {
  const harness = new Harness();
  const replicas = models.map((model) => {
    const replica = harness.start();
    hold(replica, model === '' ? [] : [model]);
    return replica;
  });
  return { harness, replicas };
}

/** Ends the first call of a replica after so long. */
function end(replica: FakeReplica | undefined, ms = 0): void {
  at += ms;
  replica?.answer(replica.open[0], (call) => call.succeeded(0));
}

/** Lets it be known that calls for a model run for so long. */
function learn(harness: Harness, replica: FakeReplica, model: string, ms: number): void {
  for (let call = 0; call < 20; call++) {
    harness.call({ model });
    end(replica, ms);
  }
}

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
    at += LOAD_MS - 1;
    harness.route.tend(at);
    expect([hot.open, spare.open]).toEqual([[endless], []]);
    at += 1;
    harness.route.tend(at);
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
    at += 50;
    expired.expire(at);
    expect(outcomes([cancelled, expired])).toEqual(['SERVE_CANCELLED', 'SERVE_TIMEOUT']);
    expect([harness.load.queued, harness.route.queued]).toEqual([1, 1]);
    end(hot);
    expect(hot.open).toEqual([stays]);
    end(hot);
    expect(harness.load.queued).toBe(0);
    expect(harness.load.hasWaitingAbove(4, at)).toBe(false);
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

  test('that stepped aside for calls of other threads say so, as those could not have gone before', async () => {
    const mine = new Harness();
    const theirs = new Harness({}, -1, undefined, mine);
    const replicas = [new FakeReplica('r0', 1), new FakeReplica('r1', 1)] as const;
    hold(replicas[0], ['hot']);
    hold(replicas[1], ['other']);
    // They hear first that a place is free.
    for (const { route } of [theirs, mine]) for (const { endpoint } of replicas) route.add(endpoint);
    learn(mine, replicas[0], 'hot', 20);
    mine.call({ model: 'hot' });
    mine.call({ model: 'other' });
    const waiting = mine.call({ model: 'hot', rank: 0 });
    const less = theirs.call({ rank: 3 });
    end(replicas[1]);
    await vi.waitFor(() => expect(replicas[1].open).toEqual([less]));
    expect(waiting.endpoint).toBeUndefined();
  });

  test('that stepped aside go before newcomers, and all of them before those behind, however many places there are', () => {
    const { harness, replicas } = cluster('hot', 'other');
    const [hot, other] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 20);
    harness.call({ model: 'hot' });
    const [first, second, third] = [1, 2, 3].map(() => harness.call({ model: 'hot' }));
    other.limit = 0;
    // A place was freed, and the news is still on its way.
    hot.ongoing--;
    const behind = harness.call();
    expect(hot.open.slice(1)).toEqual([first]);
    hot.limit = 3;
    harness.route.drain();
    expect(hot.open.slice(1)).toEqual([first, second, third]);
    other.limit = 1;
    harness.route.drain();
    expect(other.open).toEqual([behind]);
  });

  test('go before those behind them when the one that stands for them is doomed', () => {
    const { harness, replicas } = cluster('hot', 'other');
    const [hot, other] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 20);
    harness.call({ model: 'hot' });
    const [doomed, next] = [harness.call({ model: 'hot', leftMs: 50 }), harness.call({ model: 'hot' })];
    other.limit = 0;
    const behind = harness.call();
    end(hot, 60);
    expect(doomed.outcome).toBe('SERVE_TIMEOUT');
    expect(hot.open).toEqual([next]);
    end(hot);
    expect(hot.open).toEqual([behind]);
  });

  test('wait for a place that is being freed, however little a load costs', () => {
    const { harness, replicas } = cluster('hot', '');
    const [hot, spare] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 1);
    for (const { models } of replicas) models.loadMs = 0.1;
    harness.call({ model: 'hot' });
    const waiting = harness.call({ model: 'hot' });
    at += 4;
    harness.route.tend(at);
    expect(spare.open).toEqual([]);
    at += 1;
    harness.route.tend(at);
    expect(spare.open).toEqual([waiting]);
  });

  test('get no second copy where their model would have to be loaded', () => {
    const harness = new Harness({ idempotent: true, hedge: { afterMs: 10, maxExtraRatio: 1 } });
    const [hot, spare] = [harness.start(2), harness.start(2)];
    hold(hot, ['hot']);
    hold(spare, []);
    const call = harness.call({ model: 'hot' });
    at += 20;
    call.hedge?.expire(at);
    expect([call.hedge?.isSent, spare.open]).toEqual([false, []]);
    hold(spare, ['hot']);
    const [again, home] = [harness.call({ model: 'hot' }), spare];
    expect(home.open).toEqual([again]);
    end(hot);
    again.hedge?.expire(at);
    expect(hot.open).toEqual([again.hedge]);
  });

  test('that gave way to another one get the place beside it', () => {
    const { harness, replicas } = cluster('hot');
    const [only] = replicas as [FakeReplica];
    learn(harness, only, 'hot', 20);
    harness.call({ model: 'hot' });
    const [cold, hot] = [harness.call({ model: 'cold', tenant: 'a' }), harness.call({ model: 'hot' })];
    only.limit = 3;
    harness.route.drain();
    expect(only.open.slice(1)).toEqual([hot, cold]);
  });

  test('whose model another thread had loaded do not wait behind those that need a load', () => {
    const { harness, replicas } = cluster('hot', 'other');
    const [hot, other] = replicas as [FakeReplica, FakeReplica];
    learn(harness, hot, 'hot', 20);
    harness.call({ model: 'hot' });
    harness.call({ model: 'other' });
    const cold = harness.call({ model: 'cold' });
    const loaded = harness.call({ model: 'loaded' });
    const warm = harness.call({ model: 'hot' });
    end(hot);
    expect(hot.open).toEqual([warm]);
    hold(other, ['loaded']);
    end(other);
    expect(other.open).toEqual([loaded]);
    expect(cold.endpoint).toBeUndefined();
  });

  test('that were taken back from a replica whose loop is held bring their model to another one', () => {
    const { harness, replicas } = cluster('', '');
    const call = harness.call({ model: 'new' });
    const [home, other] = (replicas[0]?.open.length === 1 ? replicas : replicas.toReversed()) as [
      FakeReplica,
      FakeReplica,
    ];
    home.unbegun.add(call);
    home.isLoopHeld = true;
    harness.route.tend(at);
    expect([home.open, other.open]).toEqual([[], [call]]);
  });

  test('count for the queue they wait in: the tenant that has most waiting gives way', () => {
    const harness = new Harness({}, 4);
    const replicas = [harness.start(), harness.start()] as const;
    hold(replicas[0], ['hot']);
    hold(replicas[1], ['other']);
    learn(harness, replicas[0], 'hot', 1);
    harness.call({ model: 'hot' });
    harness.call({ model: 'other' });
    const flood = Array.from({ length: 6 }, () => harness.call({ model: 'hot', tenant: 'flood' }));
    const small = harness.call({ model: 'other', tenant: 'small' });
    expect(outcomes(flood)).toEqual([...Array(3).fill(undefined), ...Array(3).fill('SERVE_BACKPRESSURE')]);
    expect(small.outcome).toBeUndefined();
    expect([harness.load.queued, harness.route.queued]).toEqual([4, 4]);
  });

  test('with any number of made-up ids cost no more than they take places', () => {
    const { harness, replicas } = cluster('hot', 'other');
    const [hot, other] = replicas as [FakeReplica, FakeReplica];
    hold(hot, ['hot'], true);
    hold(other, ['other'], true);
    learn(harness, hot, 'hot', 20);
    harness.call({ model: 'hot' });
    harness.call({ model: 'other' });
    const mine = [harness.call({ model: 'hot' }), harness.call({ model: 'other' })];
    const made = Array.from({ length: 20_000 }, (_, n) => harness.call({ model: `made-up-${n}` }));
    for (const call of made) call.cancel();
    end(hot, 20);
    end(other);
    expect([hot.open, other.open]).toEqual([[mine[0]], [mine[1]]]);
    expect(harness.route.queued).toBe(0);
  });
});
