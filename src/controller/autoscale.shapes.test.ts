import { describe, expect, test } from 'vitest';
import { LOAD_SHAPES } from '../../test/fixtures/load/load-shapes.ts';
import {
  changes,
  reversals,
  type SimulatedTick,
  simulate,
} from '../../test/support/routing/simulated-deployment.ts';

/** All defaults but the most replicas: two calls per replica, up after 3 s, down after 60 s. */
const OPTIONS = { minReplicas: 1, maxReplicas: 40 };

function firstAfter(second: number, ticks: readonly SimulatedTick[]): number {
  return changes(ticks).find((tick) => tick.second >= second)?.second ?? Infinity;
}

/** When the target first was so high. */
function reached(target: number, ticks: readonly SimulatedTick[]): number {
  return ticks.find((tick) => tick.target >= target)?.second ?? Infinity;
}

const longestQueue = (ticks: readonly SimulatedTick[]): number =>
  Math.max(...ticks.map(({ queued }) => queued));
const last = (ticks: readonly SimulatedTick[]): number => ticks.at(-1)?.target ?? 0;

/** What the fixed points of the shapes need: rate × 0.1 s per call / 2 calls per replica. */
describe.each([1, 2, 3, 4, 5])('the controller under recorded load, seed %d', (seed) => {
  test('a tenfold step is acted upon within a second, met within six, and then it rests', () => {
    const ticks = simulate(LOAD_SHAPES.step, OPTIONS, seed);
    expect(firstAfter(60, ticks)).toBeLessThanOrEqual(61);
    expect(reached(10, ticks)).toBeLessThanOrEqual(66);
    expect(reversals(ticks)).toBe(0);
    expect(last(ticks)).toBeLessThanOrEqual(11);
    expect(changes(ticks.filter(({ second }) => second > 75)).length).toBeLessThanOrEqual(1);
  });

  test('a slow climb is followed without a queue, one replica at a time, and never downwards', () => {
    const ticks = simulate(LOAD_SHAPES.ramp, OPTIONS, seed);
    expect(longestQueue(ticks)).toBeLessThan(1);
    expect(changes(ticks).every(({ decision }) => decision.to === decision.from + 1)).toBe(true);
    expect(last(ticks)).toBeGreaterThanOrEqual(10);
    expect(last(ticks)).toBeLessThanOrEqual(11);
  });

  test('bursts that are shorter than the delays change nothing', () => {
    const ticks = simulate(LOAD_SHAPES.burst, { ...OPTIONS, minReplicas: 5 }, seed);
    expect(changes(ticks)).toEqual([]);
  });

  test('a day with two peaks is followed up and down without flapping', () => {
    const ticks = simulate(LOAD_SHAPES.diurnal, OPTIONS, seed);
    expect(longestQueue(ticks)).toBeLessThan(1);
    expect(reached(7, ticks)).toBeLessThan(1_500);
    expect(reached(10, ticks)).toBeLessThan(2_900);
    expect(last(ticks)).toBeLessThanOrEqual(3);
    // Two peaks are three turns; one more at the start, where a load of 1.5 per replica may need a second.
    expect(reversals(ticks)).toBeLessThanOrEqual(5);
    expect(changes(ticks).length).toBeLessThanOrEqual(24);
  });

  test('a flash crowd is met within five seconds, and the replicas go once it is forgotten', () => {
    const ticks = simulate(LOAD_SHAPES.flashCrowd, OPTIONS, seed);
    expect(firstAfter(60, ticks)).toBeLessThanOrEqual(62);
    expect(reached(18, ticks)).toBeLessThanOrEqual(68);
    expect(longestQueue(ticks)).toBeLessThan(10);
    expect(ticks.find(({ second }) => second === 330)?.target).toBeLessThanOrEqual(4);
    expect(last(ticks)).toBeLessThanOrEqual(2);
    expect(reversals(ticks)).toBeLessThanOrEqual(2);
  });
});

test('without the panic window the step waits for the up-delay', () => {
  const ticks = simulate(LOAD_SHAPES.step, { ...OPTIONS, panic: false });
  expect(firstAfter(60, ticks)).toBeGreaterThanOrEqual(63);
  expect(firstAfter(60, ticks)).toBeLessThanOrEqual(64);
});
