import { describe, expect, test } from 'vitest';
import { exponential, seededRandom } from '../../bench/harness/random.ts';
import { Arrivals } from './arrivals.ts';
import { CostModel } from './cost-model.ts';
import { startTime, type WindowState } from './window.ts';

/** A model that has seen batches of cost a·n + b. */
function learned(a: number, b: number, sizes = [1, 4, 16, 8, 2, 32, 12, 5]): CostModel {
  const cost = new CostModel();
  for (const n of sizes) cost.observe(n, a * n + b);
  return cost;
}

/** Callers that came back `gap` ms apart right after each batch, which took `period` ms: none has come since the last. */
function returning(callers: number, gap: number, period: number): { arrivals: Arrivals; now: number } {
  const arrivals = new Arrivals();
  let now = 1_000;
  for (let round = 0; round < 40; round++) {
    for (let n = 1; n <= callers; n++) {
      now += gap;
      arrivals.arrived(now, n);
    }
    arrivals.batchStarted();
    now += period;
    arrivals.answered(now);
  }
  return { arrivals, now };
}

/** Independent callers of a function that takes `cost.predict(n)`, each batch started when the one before it is over. */
function independent(gapMs: number, cost: CostModel, seed: number): { arrivals: Arrivals; now: number } {
  const arrivals = new Arrivals();
  const random = seededRandom(seed);
  let now = 1_000;
  let queued = 0;
  let running = 0;
  let over = 0;
  for (let arrival = 0; arrival < 200; arrival++) {
    now += exponential(random, gapMs);
    while (running > 0 && over <= now) {
      arrivals.answered(over);
      running = queued;
      queued = 0;
      if (running > 0) arrivals.batchStarted();
      over += cost.predict(running);
    }
    arrivals.arrived(now, queued + running + 1);
    if (running > 0) {
      queued++;
    } else {
      running = 1;
      arrivals.batchStarted();
      over = now + cost.predict(1);
    }
  }
  return { arrivals, now: Math.max(now, over) };
}

const state = (changes: Partial<WindowState>): WindowState => {
  const { count = 1 } = changes;
  return {
    mode: 'adaptive',
    now: 0,
    count,
    queued: count,
    isFull: false,
    openedAt: 0,
    freeSince: 0,
    tightestDeadline: 0,
    running: 0,
    maxBatchSize: 64,
    waitMs: 10,
    ...changes,
  };
};

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

  test('keeps what it knows of other sizes while all batches have one size, and follows their change', () => {
    const random = seededRandom(7);
    const cost = learned(1, 10);
    for (let batch = 0; batch < 5_000; batch++) cost.observe(32, 42 * (0.95 + 0.1 * random()));
    expect(cost.predict(1)).toBeCloseTo(11, 0);
    expect(Math.abs(cost.predict(32) - 42)).toBeLessThan(1);
    for (let batch = 0; batch < 200; batch++) cost.observe(32, 60);
    expect(cost.predict(32)).toBeCloseTo(60, 1);
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
    const { arrivals } = returning(8, 0.01, 20);
    expect(startTime(state({ mode: 'fixed', openedAt: 100, now: 103 }), cost, arrivals)).toBe(110);
    expect(startTime(state({ mode: 'fixed', now: 103, isFull: true }), cost, arrivals)).toBe(103);
  });

  test('the tightest deadline shortens the wait', () => {
    const { arrivals } = returning(8, 0.01, 20);
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
    const { arrivals, now } = returning(1, 0.1, 11);
    arrivals.arrived(now + 0.1, 1);
    expect(startTime(state({ now, openedAt: now }), cost, arrivals)).toBe(now);
  });

  test('adaptive: the first caller that comes back waits for the others, and starts when they are there', () => {
    const { arrivals, now } = returning(32, 0.02, 42);
    arrivals.arrived(now + 0.02, 1);
    const due = startTime(state({ now: now + 0.02, openedAt: now + 0.02 }), cost, arrivals);
    expect(due).toBeGreaterThan(now + 0.5);
    expect(due).toBeLessThan(now + 2);
    expect(startTime(state({ now, openedAt: now, count: 32 }), cost, arrivals)).toBe(now);
    // Two tenants: all are there, in two lanes.
    expect(startTime(state({ now, openedAt: now, count: 16, queued: 32 }), cost, arrivals)).toBe(now);
  });

  test('adaptive: callers that waited for the end of a batch wait for those whom it answered', () => {
    const { arrivals, now } = returning(8, 0.02, 18);
    const waiting = { openedAt: now - 18, freeSince: now, now, count: 4 };
    const due = startTime(state(waiting), cost, arrivals);
    expect(due).toBeGreaterThan(now + 0.5);
    expect(due).toBeLessThan(now + 2);
  });

  test('adaptive: nobody waits for callers that take too long to come back', () => {
    const { arrivals, now } = returning(40, 3, 50);
    arrivals.arrived(now + 3, 1);
    expect(startTime(state({ now, openedAt: now }), cost, arrivals)).toBe(now);
  });

  test('adaptive: nobody waits for more callers than a batch takes', () => {
    const { arrivals, now } = returning(65, 0.01, 50);
    arrivals.arrived(now, 65);
    expect(startTime(state({ now, openedAt: now, count: 1 }), cost, arrivals)).toBe(now);
  });

  test.each([20, 8, 4, 2, 1.5])(
    'adaptive: nobody waits for independent callers, %d ms apart on average',
    (gap) => {
      for (let seed = 1; seed <= 50; seed++) {
        const { arrivals, now } = independent(gap, cost, seed);
        arrivals.arrived(now + gap, 1);
        expect(startTime(state({ now, openedAt: now, freeSince: now }), cost, arrivals)).toBe(now);
      }
    },
  );

  test('adaptive never waits longer than fixed', () => {
    const { arrivals, now } = returning(32, 0.02, 50);
    expect(startTime(state({ now: now + 9.9, openedAt: now, count: 3 }), cost, arrivals)).toBeLessThanOrEqual(
      now + 10,
    );
  });
});
