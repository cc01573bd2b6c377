import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Expiring, TimerWheel } from './timer-wheel.ts';

/** The wheel's width of a slot: how late a deadline may fire. */
const TICK_MS = 8;

class Deadline extends Expiring {
  readonly fired: number[] = [];
  whenFired: () => void = () => {};

  override expire(at: number): void {
    this.fired.push(at);
    this.whenFired();
  }
}

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the timer wheel', () => {
  const wheel = (): TimerWheel => new TimerWheel(() => Date.now());

  test('fires each deadline once, never early, at most a tick late, over many rounds', () => {
    const span = 20_000; // 5 rounds of 512 slots
    const script = fc.array(
      fc.record({ after: fc.nat(span), wait: fc.integer({ min: 0, max: 200 }), isRemoved: fc.boolean() }),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(script, (steps) => {
        const timers = wheel();
        const all = steps.map(({ after, wait, isRemoved }) => {
          const entry = new Deadline();
          timers.add(entry, Date.now() + after);
          vi.advanceTimersByTime(wait);
          const wasFired = entry.fired.length > 0;
          if (isRemoved) timers.remove(entry);
          return { entry, isExpected: wasFired || !isRemoved };
        });
        vi.advanceTimersByTime(span + TICK_MS);
        for (const { entry, isExpected } of all) {
          expect(entry.fired).toHaveLength(isExpected ? 1 : 0);
          const [at = entry.expiresAt] = entry.fired;
          expect(at).toBeGreaterThanOrEqual(entry.expiresAt);
          expect(at).toBeLessThanOrEqual(entry.expiresAt + TICK_MS);
        }
        expect(timers.size).toBe(0);
        vi.advanceTimersByTime(2 * TICK_MS);
        expect(vi.getTimerCount()).toBe(0);
      }),
      { seed: 8, numRuns: 60 },
    );
  });

  test('after a blocked event loop all that is due fires at the next tick', () => {
    let time = 0;
    const timers = new TimerWheel(() => time);
    const entries = Array.from({ length: 100 }, (_, index) => {
      const entry = new Deadline();
      timers.add(entry, index * 97);
      return entry;
    });
    time = 60_000;
    vi.advanceTimersByTime(TICK_MS);
    expect(entries.map(({ fired }) => fired)).toEqual(entries.map(() => [60_000]));
  });

  test('an entry that is added while others fire after a blocked event loop is not forgotten for a round', () => {
    let time = 0;
    const timers = new TimerWheel(() => time);
    const [first, added] = [new Deadline(), new Deadline()];
    first.whenFired = () => timers.add(added, 100);
    timers.add(first, 300);
    time = 400;
    vi.advanceTimersByTime(TICK_MS);
    time = 408;
    vi.advanceTimersByTime(TICK_MS);
    expect(first.fired).toEqual([400]);
    expect(added.fired).toHaveLength(1);
  });

  test('a finer wheel is less late', () => {
    const timers = new TimerWheel(() => Date.now(), 2);
    const entries = [11, 12, 13, 1_500, 2_501].map((at) => {
      const entry = new Deadline();
      timers.add(entry, at);
      return entry;
    });
    vi.advanceTimersByTime(3_000);
    expect(entries.map(({ fired }) => fired)).toEqual([[12], [12], [14], [1_500], [2_502]]);
  });

  test('an entry that another one removes while both are due does not fire', () => {
    const timers = wheel();
    const pair = [new Deadline(), new Deadline()] as const;
    for (const [index, entry] of pair.entries()) {
      timers.add(entry, 16);
      entry.whenFired = () => timers.remove(pair[1 - index] as Deadline);
    }
    vi.advanceTimersByTime(100);
    expect(pair.map(({ fired }) => fired.length).sort()).toEqual([0, 1]);
  });

  test('an entry can be added again while it fires', () => {
    const timers = wheel();
    const entry = new Deadline();
    entry.whenFired = () => {
      if (entry.fired.length < 3) timers.add(entry, Date.now() + 50);
    };
    timers.add(entry, 50);
    vi.advanceTimersByTime(1_000);
    expect(entry.fired).toHaveLength(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('keeps the process alive exactly while it is held', () => {
    const starts = vi.spyOn(globalThis, 'setInterval');
    const keepsAlive = (): boolean => {
      const ticker = starts.mock.results.at(-1)?.value as NodeJS.Timeout;
      return vi.getTimerCount() > 0 && ticker.hasRef();
    };
    const timers = wheel();
    const entry = new Deadline();
    timers.add(entry, 10_000);
    expect(keepsAlive()).toBe(false);
    timers.hold();
    timers.hold();
    expect(keepsAlive()).toBe(true);
    timers.release();
    vi.advanceTimersByTime(TICK_MS);
    expect(keepsAlive()).toBe(true);
    timers.release();
    vi.advanceTimersByTime(TICK_MS);
    expect(keepsAlive()).toBe(false);
    expect(vi.getTimerCount()).toBe(1);
    timers.remove(entry);
    vi.advanceTimersByTime(TICK_MS);
    expect(vi.getTimerCount()).toBe(0);
  });
});
