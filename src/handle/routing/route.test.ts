import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeReplica, type TestCall } from '../../../test/support/routing/fake-replica.ts';
import { Harness, outcomes } from '../../../test/support/routing/route-harness.ts';
import { ServeError } from '../../errors.ts';
import { hash } from '../../load/hash.ts';
import { now } from '../../time/clock.ts';
import { UNCHARGED } from '../queue/tenant-lane.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('route', () => {
  test('38: a call whose replica died before it started goes elsewhere, one that had started does not', () => {
    const harness = new Harness();
    const first = harness.start(2);
    const [started, notStarted] = [harness.call(), harness.call()];
    const second = harness.start(2);
    harness.kill(first, 1);
    expect(started.endings[0]).toMatchObject({
      error: { code: 'SERVE_REPLICA_DIED', retryable: false, replica: 'r0' },
    });
    second.answer(notStarted, (call) => call.succeeded('elsewhere'));
    expect(notStarted.endings).toEqual([{ value: 'elsewhere' }]);
    expect(notStarted.attempts).toBe(2);
    expect(harness.route.counters.counts).toEqual({ retries: 1 });
  });

  test('an idempotent call is repeated after a pause, three times in all', () => {
    const harness = new Harness({ idempotent: ['call'] });
    const call = (() => {
      harness.start();
      return harness.call();
    })();
    for (const attempt of [1, 2]) {
      harness.kill(harness.replicas.at(-1) as FakeReplica, 1);
      expect([call.outcome, call.attempts]).toEqual([undefined, attempt]);
      const next = harness.start();
      vi.advanceTimersByTime(25 * attempt);
      expect(next.open).toEqual([call]);
    }
    harness.kill(harness.replicas.at(-1) as FakeReplica, 1);
    expect(call.endings[0]).toMatchObject({ error: { code: 'SERVE_REPLICA_DIED', retryable: true } });
    expect(call.attempts).toBe(3);
  });

  test('a tenant is charged for a call that ends by the time-out or cancellation of a call that it made', () => {
    for (const code of ['SERVE_TIMEOUT', 'SERVE_CANCELLED'] as const) {
      const harness = new Harness();
      const replica = harness.start();
      const [first, second] = [harness.call({ tenant: 'a' }), harness.call({ tenant: 'a' })];
      harness.call({ tenant: 'b' });
      replica.answer(first, (call) => call.succeeded(0));
      expect(second.chargedMs).not.toBe(UNCHARGED);
      replica.answer(second, (call) => call.failed(new ServeError(code, 'a call of the replica')));
      expect([second.outcome, second.chargedMs]).toEqual([code, UNCHARGED]);
    }
  });

  test('no retry ends after the deadline, none starts beyond the budget', () => {
    const harness = new Harness({ idempotent: true });
    harness.kill(
      (() => {
        const replica = harness.start();
        harness.call({ leftMs: 0.001 });
        return replica;
      })(),
      1,
    );
    expect(outcomes(harness.calls)).toEqual(['SERVE_REPLICA_DIED']);
    const replica = harness.start(1_000);
    const calls = Array.from({ length: 1_000 }, () => harness.call());
    harness.kill(replica, 1_000);
    // 20 % of 1,001 calls and 10 per second of the window.
    expect(calls.filter(({ outcome }) => outcome === undefined)).toHaveLength(300);
    expect(harness.route.counters.counts).toEqual({ retries: 300, retries_denied: 700 });
    harness.start(1_000);
    harness.finish();
    expect(calls.filter(({ outcome }) => outcome === 'ok')).toHaveLength(300);
  });

  test('41: a session stays with its replica, spills when it is full, and few move when one is added', () => {
    const harness = new Harness();
    for (let replica = 0; replica < 3; replica++) harness.start(1_000);
    const sessions = Array.from({ length: 400 }, (_, n) => `session-${n}`);
    const placeAll = () => sessions.map((session) => harness.call({ session }).endpoint?.replicaId);
    const before = placeAll();
    expect(placeAll()).toEqual(before);
    for (const name of ['r0', 'r1', 'r2'])
      expect(before.filter((place) => place === name).length).toBeGreaterThan(90);
    harness.start(1_000);
    const after = placeAll();
    const moved = after.filter((place, index) => place !== before[index]);
    expect(moved.length).toBeGreaterThan(60);
    expect(moved.length).toBeLessThan(140);
    expect(new Set(moved)).toEqual(new Set(['r3']));

    const [home] = after;
    const full = harness.replicas.find(({ endpoint }) => endpoint.replicaId === home) as FakeReplica;
    full.limit = 0;
    const spilled = [1, 2, 3].map(() => harness.call({ session: 'session-0' }).endpoint?.replicaId);
    expect(new Set(spilled).size).toBe(1);
    expect(spilled).not.toContain(home);
    full.limit = 10_000;
    expect(harness.call({ session: 'session-0' }).endpoint?.replicaId).toBe(home);
    harness.finish();
  });

  test('51: a call goes to a replica that holds its model, and else where there are fewest', () => {
    const harness = new Harness();
    for (let replica = 0; replica < 3; replica++) harness.start(1_000);
    const [, r1, r2] = harness.replicas as [FakeReplica, FakeReplica, FakeReplica];
    const locate = (model: string) => harness.call({ model }).endpoint?.replicaId;
    r1.models.advertise([hash('a')]);
    expect(new Set(Array.from({ length: 20 }, () => locate('a')))).toEqual(new Set(['r1']));

    // Nobody holds it: all that come before the first has begun to load agree, on one with the fewest models.
    const places = new Set(Array.from({ length: 20 }, () => locate('b')));
    expect(places.size).toBe(1);
    expect(places).not.toContain('r1');

    // Of two that hold it, the one with less to do.
    r2.models.advertise([hash('a')]);
    r1.ongoing = 500;
    expect(locate('a')).toBe('r2');
    r1.ongoing = 0;
    harness.finish();
  });

  test('a full queue: the more important call takes the place of the last one below it, and the cap holds', () => {
    const harness = new Harness({}, 2);
    harness.start();
    const running = harness.call();
    const [first, second] = [harness.call({ rank: 3 }), harness.call({ rank: 3 })];
    const refused = harness.call({ rank: 3 });
    expect(refused.endings[0]).toMatchObject({ error: { code: 'SERVE_BACKPRESSURE', retryable: true } });
    const important = harness.call({ rank: 0 });
    expect(outcomes([running, first, second, important])).toEqual([
      undefined,
      undefined,
      'SERVE_BACKPRESSURE',
      undefined,
    ]);
    expect([harness.load.queued, harness.route.queued]).toEqual([2, 2]);
    expect(harness.route.counters.counts).toEqual({ shed_queue_full: 1, shed_displaced: 1 });
    harness.finish();
    expect(outcomes([running, important, first])).toEqual(['ok', 'ok', 'ok']);
    expect(harness.load.queued).toBe(0);
  });

  test("one tenant's flood fills the queue and leaves another its share of queue and replicas", () => {
    const harness = new Harness({}, 10);
    const replica = harness.start();
    const flood = Array.from({ length: 50 }, () => harness.call({ tenant: 'flood' }));
    const small = Array.from({ length: 5 }, () => harness.call({ tenant: 'small' }));
    expect(outcomes(small)).toEqual(Array(5).fill(undefined));
    expect(harness.load.queued).toBe(10);
    const served: string[] = [];
    while (replica.open.length > 0) {
      replica.answer(replica.open[0], (call) => {
        served.push((call as TestCall).tenant);
        call.ranMs = 1;
        call.succeeded(0);
      });
    }
    // The first one ran before the others came.
    expect(served.slice(1)).toEqual(Array(5).fill(['flood', 'small']).flat());
    expect(outcomes(small)).toEqual(Array(5).fill('ok'));
    expect(flood.filter(({ outcome }) => outcome === 'SERVE_BACKPRESSURE')).toHaveLength(44);
  });

  test('a queued call that cannot make its deadline is not started, and leaves its place to one that can', () => {
    const harness = new Harness();
    const replica = harness.start();
    const known = harness.call();
    // Calls take 100 ms here.
    for (let call = 0; call < 20; call++) harness.route.runs.times.observe('call', 100, now());
    const doomed = harness.call({ leftMs: 60 });
    const inTime = harness.call({ leftMs: 5_000 });
    expect(doomed.endings[0]).toMatchObject({
      error: { code: 'SERVE_TIMEOUT', statusCode: 504, retryable: true },
    });
    expect(inTime.outcome).toBeUndefined();
    replica.answer(known, (call) => call.succeeded(0));
    expect(replica.open).toEqual([inTime]);
    expect(harness.route.counters.counts).toEqual({ shed_doomed: 1 });
    // A call that need not wait is always tried: what is known may be wrong.
    replica.limit = 2;
    expect(harness.call({ leftMs: 60 }).endpoint).toBeDefined();
    harness.finish();
  });

  test('a call that waits for long is not overtaken by young ones of other threads, only by more important ones', () => {
    const old = new Harness();
    const young = new Harness({}, -1, undefined, old);
    const replica = new FakeReplica('r0', 1);
    // The young ones hear first that a place is free.
    for (const { route } of [young, old]) route.add(replica.endpoint);
    const running = old.call();
    const waiting = old.call();
    for (const end = performance.now() + 60; performance.now() < end; );
    old.route.tend(now());
    const [equal, important] = [young.call(), young.call({ rank: 0 })];
    const served: unknown[] = [];
    for (let open = replica.open[0]; open !== undefined; open = replica.open[0]) {
      served.push(open);
      old.load.countFreed();
      replica.answer(open, (call) => call.succeeded(0));
    }
    expect(served).toEqual([running, important, waiting, equal]);
    expect(young.load.queued).toBe(0);
  });

  test('a host that lags sheds what enters, by priority, and not what is in already', () => {
    const harness = new Harness();
    harness.start();
    const waiting = [harness.call({ rank: 3 }), harness.call({ rank: 3 })];
    harness.gate.shed(2);
    expect(outcomes([harness.call({ rank: 2 }), harness.call({ rank: 1 })])).toEqual([
      'SERVE_BACKPRESSURE',
      undefined,
    ]);
    harness.gate.shed(0);
    expect(harness.call({ rank: 0 }).outcome).toBe('SERVE_BACKPRESSURE');
    harness.finish();
    expect(outcomes(waiting)).toEqual(['ok', 'ok']);
  });

  test('hedging: another replica answers first, the loser is cancelled, extra calls stay within the share', async () => {
    const harness = new Harness({ idempotent: true, hedge: { afterMs: 10, maxExtraRatio: 0.05 } });
    for (let replica = 0; replica < 2; replica++) harness.start(1_000);
    const calls = Array.from({ length: 45 }, () => harness.call());
    await vi.waitFor(() => expect(harness.route.counters.counts.hedges).toBe(2), 30_000);
    const hedged = calls.filter(({ hedge }) => hedge?.isSent);
    expect(hedged).toHaveLength(2);
    const [winner] = hedged as [TestCall, TestCall];
    const [first, second] =
      winner.endpoint?.replicaId === 'r0' ? harness.replicas : harness.replicas.toReversed();
    second?.answer(winner.hedge, (copy) => copy.succeeded('second'));
    expect(winner.endings).toEqual([{ value: 'second' }]);
    expect([...(first?.cancelled ?? [])]).toEqual([winner]);
    expect(winner.endpoint?.replicaId).toBe(second?.endpoint.replicaId);
    expect(harness.route.counters.counts).toEqual({ hedges: 2, hedges_won: 1 });
    // The loser's answer comes late, and is nobody's.
    first?.answer(winner, (call) => call.succeeded('first'));
    expect(winner.endings).toHaveLength(1);
    harness.finish();
    expect(outcomes(calls)).toEqual(Array(45).fill('ok'));
    for (const { ongoing } of harness.replicas) expect(ongoing).toBe(0);
  });

  test('hedging: when the first answers the second copy is cancelled; when both die the call is repeated or told', async () => {
    for (const end of ['answered', 'both died', 'died for good'] as const) {
      const harness = new Harness({ idempotent: true, hedge: { afterMs: 10, maxExtraRatio: 1 } });
      for (let replica = 0; replica < 2; replica++) harness.start();
      const call = harness.call();
      await vi.waitFor(() => expect(call.hedge?.isRunning).toBe(true), 30_000);
      const [first, second] = (
        call.endpoint?.replicaId === 'r0' ? harness.replicas : harness.replicas.toReversed()
      ) as [FakeReplica, FakeReplica];
      if (end === 'answered') {
        first.answer(call, (one) => one.succeeded('first'));
        expect([...second.cancelled]).toEqual([call.hedge]);
        second.answer(call.hedge, (copy) => copy.succeeded('late'));
        expect(call.endings).toEqual([{ value: 'first' }]);
        continue;
      }
      harness.kill(first, 1);
      if (end === 'died for good') Object.defineProperty(call, 'attempts', { value: 3 });
      harness.kill(second, 1);
      const third = harness.start();
      vi.advanceTimersByTime(250);
      expect(third.open).toEqual(end === 'both died' ? [call] : []);
      if (end === 'both died') third.answer(call, (one) => one.succeeded('third'));
      expect(outcomes([call])).toEqual([end === 'both died' ? 'ok' : 'SERVE_REPLICA_DIED']);
    }
  });

  test('a call that may run twice is repeated if its memory is still here', () => {
    for (const isMoved of [false, true]) {
      const harness = new Harness({ idempotent: true });
      const first = harness.start();
      const call = harness.call();
      const memory = new ArrayBuffer(100_000);
      call.transfer = [memory];
      if (isMoved) memory.transfer();
      const second = harness.start();
      harness.kill(first, 1);
      vi.advanceTimersByTime(250);
      expect(second.open).toEqual(isMoved ? [] : [call]);
      harness.finish();
      expect(outcomes([call])).toEqual([isMoved ? 'SERVE_REPLICA_DIED' : 'ok']);
    }
  });

  test('hedging: when one replica dies the other copy is the call', async () => {
    for (const isFirstToDie of [true, false]) {
      const harness = new Harness({ idempotent: true, hedge: { afterMs: 10, maxExtraRatio: 1 } });
      for (let replica = 0; replica < 2; replica++) harness.start();
      const call = harness.call();
      await vi.waitFor(() => expect(call.hedge?.isRunning).toBe(true), 30_000);
      const [first, second] = (
        call.endpoint?.replicaId === 'r0' ? harness.replicas : harness.replicas.toReversed()
      ) as [FakeReplica, FakeReplica];
      harness.kill(isFirstToDie ? first : second, 1);
      expect(call.outcome).toBeUndefined();
      if (isFirstToDie) second.answer(call.hedge, (copy) => copy.succeeded('survivor'));
      else first.answer(call, (copy) => copy.succeeded('survivor'));
      expect(call.endings).toEqual([{ value: 'survivor' }]);
      expect(call.attempts).toBe(1);
    }
  });
});

test('a call that is given back while its deployment is being stopped is rejected as one that has not begun', () => {
  const harness = new Harness();
  const replica = harness.start();
  const call = harness.call();
  expect([replica.open, call.attempts]).toEqual([[call], 1]);
  harness.route.bar(new ServeError('SERVE_UNAVAILABLE', 'the deployment is being stopped'));
  replica.answer(call, (given) => given.returned());
  expect([call.outcome, call.attempts]).toEqual(['SERVE_UNAVAILABLE', 0]);
});

describe('a call that was diverted to a trial', () => {
  /** An app, and a trial beside it that takes all its calls and runs one at a time. */
  function beside(): {
    app: Harness;
    trial: Harness;
    diverted: TestCall;
    own: TestCall;
    replica: FakeReplica;
  } {
    const [app, trial] = [new Harness(), new Harness()];
    app.start();
    const replica = trial.start();
    trial.call();
    app.route.split = { divert: () => trial.route };
    return { app, trial, replica, diverted: app.call(), own: trial.call() };
  }

  test('goes to the app once the trial has no replica, and calls of the trial itself wait on', () => {
    const { app, trial, replica, diverted, own } = beside();
    expect([app.replicas[0]?.open, trial.route.queued]).toEqual([[], 2]);
    trial.kill(replica, 1);
    expect([app.replicas[0]?.open, trial.route.queued]).toEqual([[diverted], 1]);
    expect(own.outcome).toBe(undefined);
    app.replicas[0]?.answer(diverted, (call) => call.succeeded('at home'));
    expect(diverted.endings).toEqual([{ value: 'at home' }]);
  });

  test('goes to the app when the trial is stopped, which rejects the calls of its own', () => {
    const { app, trial, diverted, own } = beside();
    trial.route.refuse(new ServeError('SERVE_UNAVAILABLE', 'the deployment was stopped'));
    expect(app.replicas[0]?.open).toEqual([diverted]);
    expect(own.outcome).toBe('SERVE_UNAVAILABLE');
  });

  test('goes to the app when the last replica gives it back', () => {
    const { app, trial, replica, diverted } = beside();
    const [running] = trial.calls;
    replica.answer(running, (call) => call.succeeded(0));
    expect(replica.open).toEqual([diverted]);
    trial.route.bar(new ServeError('SERVE_UNAVAILABLE', 'the deployment is being stopped'));
    replica.limit = 0;
    replica.answer(diverted, (call) => call.returned());
    expect(app.replicas[0]?.open).toEqual([diverted]);
  });
});
