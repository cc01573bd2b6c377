import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReplicaTally } from '../load/replica-tally.ts';
import { type ObservedReplica, reconcile } from './reconcile.ts';
import {
  baselineOf,
  faultOf,
  ROLLOUT_BEGIN,
  type RolloutState,
  type RolloutView,
  rollOut,
  type VersionRecord,
} from './roll-out.ts';

/** @param ms duration of each call that did not fail, side by side */
function record(calls: number, failures = 0, ms = 5, deaths = 0): VersionRecord {
  const tally = new ReplicaTally();
  for (let call = 0; call < calls; call++) tally.record(call < failures, ms);
  return { ...tally.read(), deaths };
}

describe('what a version is compared with', () => {
  test('the calls of the same time: who depends on something that fails now is no worse than before', () => {
    const outage = baselineOf(record(100, 30), record(100_000, 30));
    expect(outage).toMatchObject({ calls: 100, failures: 30 });
    expect(faultOf(record(100, 30), { ...outage, deaths: 0 }, true)).toBeUndefined();
  });

  test('… nor is one excused by what failed last week', () => {
    const quiet = baselineOf(record(100), record(100_000, 50_000));
    expect(faultOf(record(100, 30), { ...quiet, deaths: 0 }, true)).toContain('30 of 100');
  });

  test('all that it ever served, while that is little', () => {
    const { calls, failures, latencies } = baselineOf(record(3), record(1_000, 5));
    expect({ calls, failures }).toEqual({ calls: 1_000, failures: 5 });
    expect(latencies).toEqual(record(3).latencies);
  });
});

describe('faultOf compares a version with the one before', () => {
  test.each<[string, VersionRecord, VersionRecord]>([
    ['neither was called', record(0), record(0)],
    ['both serve well', record(200), record(200)],
    ['two failures say nothing', record(2, 2), record(1_000)],
    ['both fail alike', record(400, 40), record(4_000, 400)],
    ['both fail always', record(50, 50), record(50, 50)],
    ['a little slower', record(200, 0, 10), record(200, 0, 5)],
    ['five times of nearly nothing', record(200, 0, 1.5), record(200, 0, 0.3)],
    ['slow, but hardly measured', record(60, 0, 500), record(60, 0, 5)],
    ['one death may happen', record(100, 0, 5, 1), record(100)],
    ['both die', record(100, 0, 5, 3), record(100, 0, 5, 3)],
  ])('nothing is wrong: %s', (_what, fresh, baseline) => {
    expect(faultOf(fresh, baseline, true)).toBeUndefined();
  });

  test.each<[string, VersionRecord, VersionRecord, string]>([
    ['every other call fails', record(30, 15), record(30), '15 of 30 calls failed (before: 0 of 30)'],
    ['a few in a hundred fail', record(600, 30), record(5_000, 5), '30 of 600 calls failed'],
    ['all fail, and there was nothing before', record(4, 4), record(0), '4 of 4 calls failed'],
    ['five times slower', record(200, 0, 25), record(200, 0, 5), 'medians'],
    ['its replicas die', record(100, 0, 5, 2), record(100), '2 of its replicas died'],
  ])('%s', (_what, fresh, baseline, reason) => {
    expect(faultOf(fresh, baseline, true)).toContain(reason);
  });

  test('durations of another time say nothing', () => {
    expect(faultOf(record(200, 0, 25), record(200, 0, 5), false)).toBeUndefined();
  });

  test('one that is equal is taken for worse less than once in 500 looks at any rate of failures', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 90 }),
        fc.integer({ min: 20, max: 400 }),
        fc.noShrink(fc.array(fc.nat(99), { minLength: 800, maxLength: 800 })),
        (percent, calls, draws) => {
          const failures = (): number => draws.splice(0, calls).filter((draw) => draw < percent).length;
          return faultOf(record(calls, failures()), record(calls, failures()), true) === undefined;
        },
      ),
      { numRuns: 500, seed: 7 },
    );
  });
});

const VIEW: RolloutView = {
  at: 0,
  target: 4,
  running: 0,
  old: 4,
  ongoing: 0,
  fresh: record(0),
  baseline: record(0),
  baselineCalls: 0,
  observeMs: 30_000,
  othersReady: true,
};

function reached(state: RolloutState, ...views: Partial<RolloutView>[]): RolloutState {
  return views.reduce((now, view) => rollOut(now, { ...VIEW, ...view }).state, state);
}

describe('rollOut', () => {
  const proving = reached(ROLLOUT_BEGIN, { at: 1_000, running: 1 });

  test('waits for the first new replica, then proves it beside the old ones', () => {
    expect(reached(ROLLOUT_BEGIN, { at: 9_999 }).phase).toBe('surging');
    expect(proving.phase).toBe('proving');
  });

  test('shifts once the new version served enough calls well', () => {
    expect(reached(proving, { at: 1_100, running: 1, fresh: record(69), ongoing: 1 }).phase).toBe('proving');
    expect(reached(proving, { at: 1_100, running: 1, fresh: record(70), ongoing: 1 }).phase).toBe('shifting');
  });

  test('shifts at once where nobody calls, and after a third of the time where few do', () => {
    const idle = { running: 1 };
    expect(reached(proving, { ...idle, at: 1_200 }).phase).toBe('proving');
    expect(reached(proving, { ...idle, at: 1_250 }).phase).toBe('shifting');
    const called = reached(proving, { at: 1_200, running: 1, baseline: record(1), fresh: record(3) });
    expect(reached(called, { at: 1_449, running: 1, baseline: record(1), fresh: record(3) }).phase).toBe(
      'proving',
    );
    const busy = { running: 1, ongoing: 1, baseline: record(1), fresh: record(3) };
    expect(reached(called, { ...busy, at: 10_999 }).phase).toBe('proving');
    expect(reached(called, { ...busy, at: 11_000 }).phase).toBe('shifting');
  });

  test('does not take over in a quiet moment while each of its few calls failed, and the old version serves', () => {
    const failing = { running: 1, fresh: record(2, 2) };
    const seen = reached(proving, { ...failing, at: 1_200, baseline: record(50) });
    expect(reached(seen, { ...failing, at: 1_500, baseline: record(50) }).phase).toBe('proving');
    expect(reached(seen, { ...failing, at: 11_000, baseline: record(50) }).phase).toBe('shifting');
    expect(reached(seen, { ...failing, at: 1_500, baseline: record(50, 50) }).phase).toBe('shifting');
    const partly = { running: 1, fresh: record(2, 1), baseline: record(50) };
    const quiet = reached(proving, { ...partly, at: 1_200 });
    expect(reached(quiet, { ...partly, at: 1_500 }).phase).toBe('shifting');
  });

  test('does not take over while none of its calls ends and those to the old version do', () => {
    const hanging = { running: 1, ongoing: 5 };
    expect(reached(proving, { ...hanging, at: 11_000, baselineCalls: 19 }).phase).toBe('shifting');
    expect(reached(proving, { ...hanging, at: 30_999, baselineCalls: 20 }).phase).toBe('proving');
    expect(rollOut(proving, { ...VIEW, ...hanging, at: 30_999, baselineCalls: 20 }).fault).toBeUndefined();
    expect(rollOut(proving, { ...VIEW, ...hanging, at: 31_000, baselineCalls: 20 }).fault).toBe(
      'none of its calls ended in 30 s',
    );
    const slow = { ...hanging, at: 31_000, baselineCalls: 20, fresh: record(1) };
    expect(rollOut(proving, { ...VIEW, ...slow })).toMatchObject({
      fault: undefined,
      state: { phase: 'shifting' },
    });
  });

  test('… nor while all callers wait for it, and the old version was never nearly so slow', () => {
    const stuck = { running: 1, ongoing: 8, baseline: record(100, 0, 500) };
    expect(reached(proving, { ...stuck, at: 11_000 }).phase).toBe('proving');
    expect(rollOut(proving, { ...VIEW, ...stuck, at: 31_000 }).fault).toContain('none of its calls ended');
    // Ten calls of the longest kind would not have ended by now either.
    expect(reached(proving, { ...stuck, at: 11_000, baseline: record(100, 0, 1_000) }).phase).toBe(
      'shifting',
    );
    const idleTill8 = reached(proving, { ...stuck, at: 8_000, ongoing: 0 });
    expect(reached(idleTill8, { ...stuck, at: 11_000 }).phase).toBe('shifting');
  });

  test('waits for the deployments that change along with it', () => {
    expect(reached(proving, { at: 9_000, running: 1, othersReady: false }).phase).toBe('proving');
    const unwatched = { running: 1, observeMs: 0 };
    const waiting = reached(ROLLOUT_BEGIN, { ...unwatched, othersReady: false });
    expect(waiting.phase).toBe('proving');
    expect(reached(waiting, { ...unwatched, at: 9_000 }).phase).toBe('shifting');
  });

  test('needs no proof when it is not watched, or nothing else serves', () => {
    expect(reached(ROLLOUT_BEGIN, { running: 1, observeMs: 0 }).phase).toBe('shifting');
    expect(reached(ROLLOUT_BEGIN, { running: 0, old: 0 }).phase).toBe('shifting');
  });

  test('watches on after it took over, until the time is up', () => {
    const views = [
      { at: 2_000, running: 1 },
      { at: 3_000, running: 4, old: 0 },
    ];
    const watching = reached(proving, ...views);
    expect(watching.phase).toBe('watching');
    expect(reached(watching, { at: 30_999, running: 4, old: 0 }).phase).toBe('watching');
    expect(reached(watching, { at: 31_000, running: 4, old: 0 }).phase).toBe('done');
  });

  test.each(['proving', 'shifting', 'watching'] as const)(
    'takes a bad version back while it is %s',
    (phase) => {
      const state = { ...proving, phase };
      const bad = { ...VIEW, at: 4_000, running: 2, fresh: record(50, 25), baseline: record(50) };
      expect(rollOut(state, bad).fault).toContain('25 of 50 calls failed');
      expect(rollOut(state, { ...bad, observeMs: 0 }).fault).toBeUndefined();
      expect(rollOut({ ...state, phase: 'done' }, bad).fault).toBeUndefined();
    },
  );
});

interface Plan {
  readonly target: number;
  /** Replicas of the old version. */
  readonly before: number;
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  readonly observeMs: number;
  /** How long each start takes, in steps; drawn in turn. */
  readonly starts: number[];
  /** Share of the new version's calls that fail. */
  readonly failing: number;
}

const plan: fc.Arbitrary<Plan> = fc.record({
  target: fc.integer({ min: 1, max: 20 }),
  before: fc.integer({ min: 1, max: 20 }),
  maxSurge: fc.double({ min: 0, max: 1, noNaN: true }),
  maxUnavailable: fc.double({ min: 0, max: 1, noNaN: true }),
  observeMs: fc.constantFrom(0, 1_000, 30_000),
  starts: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 }),
  failing: fc.constantFrom(0, 0, 0.5, 1),
});

/** A whole update under virtual time: what the controller decides is done, 250 ms by 250 ms. */
function simulate(plan: Plan, look: (replicas: readonly ObservedReplica[], isOnTrial: boolean) => void) {
  let replicas: (ObservedReplica & { readyAt: number })[] = Array.from({ length: plan.before }, (_, id) => ({
    id: `old${id}`,
    fingerprint: 'old',
    isRunning: true,
    startedAt: id,
    ongoing: 0,
    readyAt: 0,
  }));
  let state = ROLLOUT_BEGIN;
  let wanted = 'new';
  let made = 0;
  const calls = { old: 0, new: 0 };
  for (let at = 1_000; at < 120_000; at += 250) {
    replicas = replicas.map((replica) => ({ ...replica, isRunning: replica.readyAt <= at }));
    const runs = (name: string) => replicas.filter((r) => r.fingerprint === name && r.isRunning).length;
    calls.old += 10 * runs('old');
    calls.new += 10 * runs('new');
    if (wanted === 'new') {
      const step = rollOut(state, {
        ...VIEW,
        at,
        target: plan.target,
        running: runs('new'),
        old: replicas.filter(({ fingerprint }) => fingerprint === 'old').length,
        ongoing: 1,
        fresh: { ...record(0), calls: calls.new, failures: Math.floor(calls.new * plan.failing) },
        baseline: { ...record(0), calls: calls.old },
        observeMs: plan.observeMs,
      });
      state = step.state;
      if (step.fault !== undefined) wanted = 'old';
    }
    const isOnTrial = wanted === 'new' && (state.phase === 'surging' || state.phase === 'proving');
    const desired = { ...plan, fingerprint: wanted, isHeld: false, isOnTrial, isCramped: false };
    for (const action of reconcile(desired, replicas)) {
      if (action.type === 'stop') replicas = replicas.filter(({ id }) => id !== action.id);
      else {
        const took = plan.starts[made % plan.starts.length] as number;
        const readyAt = at + took * 250;
        const id = `${wanted}+${made++}`;
        replicas.push({ id, fingerprint: wanted, isRunning: false, startedAt: at, ongoing: 0, readyAt });
      }
    }
    look(replicas, isOnTrial);
    const isSettled = replicas.every((replica) => replica.fingerprint === wanted && replica.isRunning);
    if (isSettled && replicas.length === plan.target && (state.phase === 'done' || wanted === 'old')) break;
  }
  return { phase: state.phase, wanted, replicas };
}

describe('a whole update', () => {
  test('never has fewer replicas running, nor more in all, than the options say; and gets there', () => {
    fc.assert(
      fc.property(plan, (given) => {
        const { target, maxSurge, maxUnavailable } = given;
        const floor = Math.min(given.before, Math.max(1, Math.ceil(target * (1 - maxUnavailable))));
        const ceiling = Math.max(target, given.before) + Math.max(1, Math.ceil(target * maxSurge));
        const end = simulate(given, (replicas, isOnTrial) => {
          const running = replicas.filter(({ isRunning }) => isRunning).length;
          expect(running).toBeGreaterThanOrEqual(floor);
          expect(replicas.length).toBeLessThanOrEqual(ceiling);
          const old = replicas.filter(({ fingerprint }) => fingerprint === 'old').length;
          if (isOnTrial) expect(old).toBe(given.before);
        });
        const isBad = given.failing > 0 && given.observeMs > 0;
        expect(end.wanted).toBe(isBad ? 'old' : 'new');
        if (!isBad) expect(end.phase).toBe('done');
        expect(end.replicas.map(({ fingerprint }) => fingerprint)).toEqual(Array(target).fill(end.wanted));
      }),
      { numRuns: 200, seed: 11 },
    );
  });

  test('a version that fails at once is taken back within a second of its first replica, the old one untouched', () => {
    const seen = new Set<string>();
    const end = simulate(
      {
        target: 10,
        before: 10,
        maxSurge: 0.25,
        maxUnavailable: 0,
        observeMs: 30_000,
        starts: [2],
        failing: 0.5,
      },
      (replicas) => seen.add(replicas.filter(({ fingerprint }) => fingerprint === 'old').length.toString()),
    );
    expect(end.wanted).toBe('old');
    expect([...seen]).toEqual(['10']);
  });
});
