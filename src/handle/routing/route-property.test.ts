import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EnteringCall } from '../../../test/support/routing/entering-call.ts';
import { Harness } from '../../../test/support/routing/route-harness.ts';
import { hash } from '../../load/hash.ts';
import { now } from '../../time/clock.ts';
import { SHED_NOTHING } from '../queue/admission-control.ts';
import type { TenantsOptions } from '../queue/tenants.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

const MODELS = ['m1', 'm2', 'm3', 'm4'];

const command = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('once' as const),
      key: fc.constantFrom('k', 'l'),
      argument: fc.constantFrom(1, 1, 1, 2),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('call' as const),
      rank: fc.integer({ min: 0, max: 3 }),
      tenant: fc.constantFrom(undefined, 'a', 'b'),
      session: fc.constantFrom(undefined, 's', 't'),
      model: fc.constantFrom(undefined, undefined, ...MODELS),
      leftMs: fc.constantFrom(undefined, 60_000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constantFrom('succeed', 'fail', 'open'),
      replica: fc.nat(5),
      which: fc.nat(9),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constantFrom('cancel', 'expire', 'hedge'), which: fc.nat(99) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('die' as const), replica: fc.nat(5), started: fc.nat(3) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('start' as const), limit: fc.integer({ min: 1, max: 3 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('hold' as const),
      replica: fc.nat(5),
      models: fc.subarray(MODELS),
      loadMs: fc.constantFrom(0.01, 1, 1_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('tend' as const), now: fc.constant(true) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 300 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('shed' as const), from: fc.integer({ min: 0, max: 4 }) }),
  },
);

/** Whatever happens: each call ends exactly once, no place and no count is lost, no limit is broken. */
describe('every accepted call ends exactly once', () => {
  const configs = fc.record({
    idempotent: fc.constantFrom<boolean | string[]>(false, true, ['call']),
    hedge: fc.constantFrom(undefined, { afterMs: 10, maxExtraRatio: 1 } as const),
    maxQueued: fc.constantFrom(-1, 0, 2, 5),
    tenants: fc.constantFrom<TenantsOptions | undefined>(undefined, {
      default: { maxInFlight: 4 },
      byName: { a: { weight: 3 } },
    }),
  });

  test('with killed replicas, cancels, deadlines, errors, retries, hedges, keys, models, quotas and shedding', () => {
    fc.assert(
      fc.property(
        configs,
        fc.array(command, { maxLength: 120 }),
        ({ maxQueued, tenants, ...config }, script) => {
          const harness = new Harness(config, maxQueued, tenants);
          harness.start(2);
          for (const step of script) run(harness, step);
          harness.finish();
          for (const { endings } of harness.calls) expect(endings).toHaveLength(1);
          for (const { peak, limit, ongoing, isClosed } of harness.replicas) {
            expect(peak).toBeLessThanOrEqual(limit);
            if (!isClosed) expect(ongoing).toBe(0);
          }
          expect([harness.load.queued, harness.route.queued]).toEqual([0, 0]);
          expect(harness.load.hasWaitingAbove(4, now())).toBe(false);
          const { hedges = 0 } = harness.route.counters.counts;
          expect(hedges).toBeLessThanOrEqual(harness.calls.length);
          const retried = harness.calls.filter(({ attempts }) => attempts > 3);
          expect(retried).toEqual([]);
          if (tenants !== undefined) {
            // Nobody is charged with a call that is over.
            harness.gate.shed(SHED_NOTHING);
            expect([1, 2, 3, 4].map(() => harness.gate.enter(new EnteringCall(1, 'b')))).toEqual(
              Array(4).fill(undefined),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

type Step = typeof command extends fc.Arbitrary<infer T> ? T : never;

function run(harness: Harness, step: Step): void {
  const { calls, replicas } = harness;
  if (step.type === 'call') {
    harness.call(step as Parameters<Harness['call']>[0] & object);
  } else if ('key' in step) {
    harness.callOnce(step.key, step.argument);
  } else if ('limit' in step) {
    if (replicas.length < 6) harness.start(step.limit);
  } else if ('started' in step) {
    const replica = replicas[step.replica];
    if (replica !== undefined && !replica.isClosed) harness.kill(replica, step.started);
  } else if ('models' in step) {
    const models = replicas[step.replica]?.models;
    if (models === undefined) return;
    models.keepsModels = true;
    models.loadMs = step.loadMs;
    models.advertise(step.models.map(hash));
  } else if ('now' in step) {
    harness.route.tend(now());
  } else if ('ms' in step) {
    vi.advanceTimersByTime(step.ms);
  } else if ('from' in step) {
    harness.gate.shed(step.from);
  } else if ('replica' in step) {
    const replica = replicas[step.replica];
    const call = replica?.open[step.which];
    if (call === undefined) return;
    if (step.type === 'open') call.opened(undefined);
    else if (step.type === 'fail') replica?.answer(call, (one) => one.failed(new RangeError('user code')));
    else replica?.answer(call, (one) => one.succeeded(0));
  } else if ('which' in step) {
    const call = calls[step.which % Math.max(1, calls.length)];
    if (call === undefined) return;
    if (step.type === 'cancel') call.cancel();
    else if (step.type === 'hedge') call.hedge?.expire(now());
    else if (!call.isSettled) call.expire(now());
  }
}
