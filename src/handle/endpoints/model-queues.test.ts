import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeReplica } from '../../../test/support/routing/fake-replica.ts';
import { cluster, end, hold, learn, stoppedTime, time } from '../../../test/support/routing/model-calls.ts';
import { Harness, outcomes } from '../../../test/support/routing/route-harness.ts';

let clock: Disposable;

beforeEach(() => {
  clock = stoppedTime();
});

afterEach(() => {
  clock[Symbol.dispose]();
});

describe('calls that wait for a model, among others', () => {
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
    await vi.waitFor(() => expect(replicas[1].open).toEqual([less]), 30_000);
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
    time.at += 4;
    harness.route.tend(time.at);
    expect(spare.open).toEqual([]);
    time.at += 1;
    harness.route.tend(time.at);
    expect(spare.open).toEqual([waiting]);
  });

  test('get no second copy where their model would have to be loaded', () => {
    const harness = new Harness({ idempotent: true, hedge: { afterMs: 10, maxExtraRatio: 1 } });
    const [hot, spare] = [harness.start(2), harness.start(2)];
    hold(hot, ['hot']);
    hold(spare, []);
    const call = harness.call({ model: 'hot' });
    time.at += 20;
    call.hedge?.expire(time.at);
    expect([call.hedge?.isSent, spare.open]).toEqual([false, []]);
    hold(spare, ['hot']);
    const [again, home] = [harness.call({ model: 'hot' }), spare];
    expect(home.open).toEqual([again]);
    end(hot);
    again.hedge?.expire(time.at);
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
    harness.route.tend(time.at);
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
