import { describe, expect, test } from 'vitest';
import { Arrivals } from './arrivals.ts';
import { CostModel } from './cost-model.ts';
import { startTime, type WindowState } from './window.ts';

/** A model that has seen batches of cost a·n + b. */
function learned(a: number, b: number, sizes = [1, 4, 16, 8, 2, 32, 12, 5]): CostModel {
  const cost = new CostModel();
  for (const n of sizes) cost.observe(n, a * n + b);
  return cost;
}

/** Callers that came back in bursts of `burst`, `gap` ms apart, one burst per `period` ms. */
function bursts(burst: number, gap: number, period: number): { arrivals: Arrivals; now: number } {
  const arrivals = new Arrivals();
  let now = 1_000;
  for (let round = 0; round < 5; round++) {
    for (let n = 1; n <= burst; n++) {
      arrivals.arrived(now, n);
      now += gap;
    }
    arrivals.batchStarted();
    now += period;
  }
  return { arrivals, now };
}

const state = (changes: Partial<WindowState>): WindowState => ({
  mode: 'adaptive',
  now: 0,
  count: 1,
  isFull: false,
  openedAt: 0,
  tightestDeadline: 0,
  running: 0,
  maxBatchSize: 64,
  waitMs: 10,
  ...changes,
});

describe('the cost model', () => {
  test('learns what a batch costs, and what an item adds', () => {
    const cost = learned(1, 10);
    expect(cost.predict(20)).toBeCloseTo(30, 0);
    expect(cost.fixedMs).toBeCloseTo(10, 0);
  });

  test('follows a change', () => {
    const cost = learned(1, 10);
    for (let round = 0; round < 40; round++) for (const n of [1, 8, 32, 3]) cost.observe(n, 0.5 * n + 40);
    expect(cost.predict(10)).toBeCloseTo(45, 0);
  });

  test('predicts nothing before it has seen a few', () => {
    const cost = new CostModel();
    cost.observe(1, 100);
    expect([cost.isKnown, cost.predict(1), cost.fixedMs]).toEqual([false, 0, 0]);
  });

  test('survives batches of one size, and of no time', () => {
    const cost = new CostModel();
    for (let round = 0; round < 1_000; round++) cost.observe(8, round % 2 === 0 ? 0 : 0.001);
    expect(Number.isFinite(cost.predict(8))).toBe(true);
  });
});

describe('when a batch starts', () => {
  const cost = learned(1, 10);

  test('fixed: after the wait of its oldest item, at once when it is full', () => {
    const { arrivals } = bursts(8, 0.01, 20);
    expect(startTime(state({ mode: 'fixed', openedAt: 100, now: 103 }), cost, arrivals)).toBe(110);
    expect(startTime(state({ mode: 'fixed', now: 103, isFull: true }), cost, arrivals)).toBe(103);
  });

  test('the tightest deadline shortens the wait', () => {
    const { arrivals } = bursts(8, 0.01, 20);
    const at = startTime(
      state({ mode: 'fixed', openedAt: 100, count: 2, tightestDeadline: 115 }),
      cost,
      arrivals,
    );
    // 12 ms for two, a tenth more, and 2 for the way back.
    expect(at).toBeCloseTo(99.8, 0);
    const roomy = { mode: 'fixed', openedAt: 100, count: 2, waitMs: 1_000, tightestDeadline: 500 } as const;
    // … and where there is more time a twentieth of it, for timers that are late.
    expect(startTime(state(roomy), cost, arrivals)).toBeCloseTo(466.8, 0);
    const unknown = startTime(
      state({ mode: 'fixed', openedAt: 100, waitMs: 1_000, tightestDeadline: 120 }),
      new CostModel(),
      arrivals,
    );
    expect(unknown).toBe(110);
  });

  test('adaptive: a lone caller never waits', () => {
    const { arrivals, now } = bursts(1, 0, 11);
    expect(startTime(state({ now, openedAt: now }), cost, arrivals)).toBe(now);
  });

  test('adaptive: the first of a burst waits for the others, and starts when they are there', () => {
    const { arrivals, now } = bursts(32, 0.02, 50);
    arrivals.arrived(now, 1);
    const due = startTime(state({ now, openedAt: now, count: 1 }), cost, arrivals);
    expect(due).toBeGreaterThan(now);
    expect(due).toBeLessThan(now + 2);
    expect(startTime(state({ now, openedAt: now, count: 32 }), cost, arrivals)).toBe(now);
  });

  test('adaptive: nobody waits for arrivals that cost more than they save', () => {
    const { arrivals, now } = bursts(40, 3, 50);
    arrivals.arrived(now, 5);
    expect(startTime(state({ now, openedAt: now, count: 5 }), cost, arrivals)).toBe(now);
  });

  test('adaptive never waits longer than fixed', () => {
    const { arrivals, now } = bursts(32, 0.02, 50);
    expect(startTime(state({ now: now + 9.9, openedAt: now, count: 3 }), cost, arrivals)).toBeLessThanOrEqual(
      now + 10,
    );
  });
});
