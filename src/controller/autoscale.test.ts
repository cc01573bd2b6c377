import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AutoscalingConfig } from '../deployment/options/autoscaling-config.ts';
import { type AutoscalingOptions, autoscalingOf } from '../deployment/options/autoscaling-options.ts';
import {
  autoscale,
  initialState,
  isColdStart,
  replicasForLoad,
  type ScalingDecision,
  type ScalingInputs,
  type ScalingState,
} from './autoscale.ts';

function config(options: AutoscalingOptions = {}): AutoscalingConfig {
  const resolved = autoscalingOf(undefined, { panic: false, ...options });
  if (resolved === undefined) throw new Error('not autoscaled');
  return resolved;
}

/** One deployment whose replicas are there at once unless a test says otherwise. */
class Scaled {
  readonly config: AutoscalingConfig;
  state: ScalingState;
  last: ScalingDecision | undefined = undefined;

  constructor(options: AutoscalingOptions, target: number) {
    this.config = config(options);
    this.state = initialState(target);
  }

  /** @returns the new target */
  at(at: number, load: number, given: Partial<ScalingInputs> = {}, wanted?: number): number {
    const { minReplicas: min, maxReplicas: max } = this.config;
    const running = given.running ?? this.state.target;
    const loads = { load, ended: 0, panicLoad: load, panicRunning: running };
    const inputs = { at, running, queued: 0, ongoing: load, ...loads, bounds: { min, max }, ...given };
    const asked = wanted ?? replicasForLoad(this.config, this.state.target, inputs);
    const { state, decision } = autoscale(this.config, this.state, inputs, asked);
    this.state = state;
    this.last = decision;
    return state.target;
  }
}

const AT_ONCE = { upscaleDelayMs: 0, downscaleDelayMs: 0 };

test('calls that no sample sees keep the last replica, and start no further one', () => {
  const scaled = new Scaled({ minReplicas: 0, maxReplicas: 8, ...AT_ONCE }, 2);
  expect(scaled.at(0, 0, { ended: 3 })).toBe(1);
  expect(scaled.at(1, 0, { ended: 3 })).toBe(1);
  expect(scaled.at(2, 0, { ended: 0 })).toBe(0);
});

describe('the formula', () => {
  test.each<[string, AutoscalingOptions, number, number, number]>([
    ['50 calls, 10 each', { targetOngoingRequests: 10 }, 1, 50, 5],
    ['a fraction is rounded up', { targetOngoingRequests: 10 }, 1, 50.1, 6],
    ['3 × 0.1 / 0.1 is 3', { targetOngoingRequests: 0.1 }, 1, 0.1 + 0.1 + 0.1, 3],
    ['as it should be', {}, 4, 8, 4],
    ['at most maxReplicas', { maxReplicas: 7 }, 1, 1_000, 7],
    ['at least minReplicas', { minReplicas: 3 }, 5, 0, 3],
    ['half of the way up', { upscalingFactor: 0.5 }, 2, 20, 6],
    ['twice the way up', { upscalingFactor: 2 }, 2, 20, 18],
    ['a fifth of the way down', { downscalingFactor: 0.2 }, 11, 2, 9],
    ['the last steps of a small factor', { downscalingFactor: 0.2 }, 3, 2, 2],
  ])('%s', (_name, options, from, load, to) => {
    expect(new Scaled({ maxReplicas: 100, ...AT_ONCE, ...options }, from).at(0, load)).toBe(to);
  });

  test('65: with a factor of 0.2 every step removes at least one until the wanted number', () => {
    const scaled = new Scaled({ maxReplicas: 20, downscalingFactor: 0.2, ...AT_ONCE }, 10);
    const steps = [scaled.state.target];
    for (let at = 0; at < 12; at++) steps.push(scaled.at(at, 4));
    expect(steps).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 2, 2, 2, 2]);
  });

  test('with no replica running the target stays: there is nothing to measure', () => {
    expect(new Scaled({ maxReplicas: 9, ...AT_ONCE }, 3).at(0, 0, { running: 0 })).toBe(3);
  });

  test('the last one goes only from one, and only when nothing is left', () => {
    const scaled = new Scaled({ minReplicas: 0, maxReplicas: 5, ...AT_ONCE }, 3);
    expect([0, 1, 2].map((at) => scaled.at(at, 0))).toEqual([1, 0, 0]);
    expect(new Scaled({ minReplicas: 0, ...AT_ONCE }, 1).at(0, 0.001)).toBe(1);
  });
});

describe('delays', () => {
  test('64: a burst shorter than the delay changes nothing', () => {
    const scaled = new Scaled({ maxReplicas: 9, upscaleDelayMs: 1_000 }, 1);
    expect([0, 500, 999].map((at) => scaled.at(at, 10))).toEqual([1, 1, 1]);
    expect(scaled.at(1_000, 2)).toBe(1);
    expect([1_100, 1_600, 2_099].map((at) => scaled.at(at, 10))).toEqual([1, 1, 1]);
    expect(scaled.at(2_100, 10)).toBe(5);
  });

  test('64: an opposite decision resets the timer', () => {
    const scaled = new Scaled({ maxReplicas: 9, upscaleDelayMs: 1_000, downscaleDelayMs: 1_000 }, 4);
    expect(scaled.at(0, 16)).toBe(4);
    expect(scaled.at(900, 2)).toBe(4);
    expect(scaled.at(1_000, 16)).toBe(4);
    expect(scaled.at(1_900, 16)).toBe(4);
    expect(scaled.at(2_000, 16)).toBe(8);
  });

  test('what is applied is what is wanted then, not the most that was', () => {
    const scaled = new Scaled({ maxReplicas: 50, upscaleDelayMs: 1_000 }, 1);
    scaled.at(0, 100);
    expect(scaled.at(1_000, 12)).toBe(6);
  });

  test('the timer starts anew after a change', () => {
    const scaled = new Scaled({ maxReplicas: 50, upscaleDelayMs: 1_000 }, 1);
    scaled.at(0, 10);
    expect(scaled.at(1_000, 10)).toBe(5);
    expect(scaled.at(1_250, 40)).toBe(5);
    expect(scaled.at(2_250, 40)).toBe(20);
  });

  test('says how long it will wait', () => {
    const scaled = new Scaled({ maxReplicas: 9 }, 1);
    scaled.at(0, 10);
    scaled.at(1_200, 10);
    expect(scaled.last).toMatchObject({
      from: 1,
      to: 1,
      desired: 5,
      reason: 'load 10 (2 per replica), 1 running: 5 wanted; wanted for 1200 of 3000 ms',
      inputs: { at: 1_200, load: 10, running: 1 },
    });
  });
});

describe('cold start', () => {
  const options = { minReplicas: 0, maxReplicas: 5, upscaleDelayMs: 60_000 };

  test('a call that waits starts a replica at once', () => {
    const scaled = new Scaled(options, 0);
    expect(scaled.at(0, 0, { queued: 1 })).toBe(1);
    expect(scaled.last?.reason).toBe('cold start: 1 calls wait and no replica runs');
  });

  test('with the upscaling factor, within the bounds, and no more while it starts', () => {
    const scaled = new Scaled({ ...options, upscalingFactor: 2.5 }, 0);
    expect(scaled.at(0, 0, { queued: 9 })).toBe(3);
    expect(scaled.at(1, 50, { queued: 50, running: 0 })).toBe(3);
    expect(new Scaled({ ...options, upscalingFactor: 9 }, 0).at(0, 0, { queued: 1 })).toBe(5);
  });

  test('what was measured before does not count, only who waits', () => {
    expect(new Scaled(options, 0).at(0, 3)).toBe(0);
  });

  test('no policy is asked, but one may start from zero without delay', () => {
    expect(isColdStart({ running: 0, queued: 1 } as ScalingInputs)).toBe(true);
    const scaled = new Scaled(options, 0);
    expect(scaled.at(0, 0, { queued: 1 }, 0)).toBe(1);
    expect(new Scaled(options, 0).at(0, 0, {}, 2.2)).toBe(3);
  });
});

describe('panic', () => {
  const options = { maxReplicas: 20, panic: { windowMs: 2_000, threshold: 2 } };

  test('a load of twice the capacity skips the delay, and is met in full', () => {
    const scaled = new Scaled(options, 2);
    expect(scaled.at(0, 4, { panicLoad: 7.9 })).toBe(2);
    expect(scaled.at(250, 5, { panicLoad: 20 })).toBe(10);
    expect(scaled.last?.reason).toMatch(/^panic: load 5/);
  });

  test('replicas that only start are no capacity: the target follows a rising load', () => {
    const scaled = new Scaled(options, 1);
    expect(scaled.at(0, 4, { running: 1 })).toBe(2);
    expect(scaled.at(250, 8, { running: 1 })).toBe(4);
  });

  test('goes on until the window holds nothing from before the new replicas ran', () => {
    const scaled = new Scaled(options, 2);
    expect(scaled.at(0, 8, { panicRunning: 2 })).toBe(4);
    // The new ones run, and the mean over the window still rises towards the load.
    expect(scaled.at(1_000, 8, { running: 4, panicLoad: 14, panicRunning: 2 })).toBe(7);
    expect(scaled.at(2_000, 8, { running: 7, panicLoad: 20, panicRunning: 4 })).toBe(10);
    expect(scaled.at(2_250, 24, { running: 10, panicLoad: 24, panicRunning: 7 })).toBe(10);
    expect(scaled.last?.reason).toMatch(/wanted for 0 of 3000 ms$/);
  });

  test('never downwards', () => {
    const scaled = new Scaled(options, 10);
    expect(scaled.at(0, 4, { running: 1 })).toBe(10);
  });
});

test('bounds that move take the target with them at once', () => {
  const scaled = new Scaled({ maxReplicas: 20 }, 10);
  expect(scaled.at(0, 20, { bounds: { min: 1, max: 5 } })).toBe(5);
  expect(scaled.last?.reason).toBe('the bounds are 1…5 now');
});

test('67: a custom number is rounded up within the bounds; a policy that failed changes nothing', () => {
  const scaled = new Scaled({ maxReplicas: 8, ...AT_ONCE }, 1);
  expect(scaled.at(0, 0, {}, 3.2)).toBe(4);
  expect(scaled.at(1, 0, {}, 30)).toBe(8);
  const { state, decision } = autoscale(
    scaled.config,
    scaled.state,
    {
      at: 2,
      running: 8,
      queued: 0,
      ongoing: 0,
      load: 0,
      ended: 0,
      panicLoad: 0,
      panicRunning: 8,
      bounds: { min: 1, max: 8 },
    },
    { hold: 'the policy failed' },
  );
  expect(state).toBe(scaled.state);
  expect(decision).toMatchObject({ from: 8, to: 8, reason: 'the policy failed' });
});

test('whatever happens, the target is whole and within its bounds, and every decision says why', () => {
  const options = fc.record({
    minReplicas: fc.nat(3),
    maxReplicas: fc.integer({ min: 3, max: 40 }),
    targetOngoingRequests: fc.constantFrom(0.1, 1, 2, 7.5),
    upscaleDelayMs: fc.nat(2_000),
    downscaleDelayMs: fc.nat(2_000),
    upscalingFactor: fc.constantFrom(0.1, 0.5, 1, 3),
    downscalingFactor: fc.constantFrom(0.1, 0.5, 1, 3),
  });
  const tick = fc.record({
    load: fc.double({ min: 0, max: 500, noNaN: true }),
    panicLoad: fc.double({ min: 0, max: 500, noNaN: true }),
    queued: fc.nat(20),
    running: fc.nat(40),
  });
  fc.assert(
    fc.property(options, fc.array(tick, { minLength: 1, maxLength: 60 }), (given, ticks) => {
      const scaled = new Scaled({ ...given, panic: {} }, 3);
      for (const [index, inputs] of ticks.entries()) {
        const before = scaled.state.target;
        const target = scaled.at(index * 250, inputs.load, inputs);
        expect(Number.isInteger(target)).toBe(true);
        expect(target).toBeGreaterThanOrEqual(given.minReplicas);
        expect(target).toBeLessThanOrEqual(given.maxReplicas);
        if (before > 1) expect(target).toBeGreaterThanOrEqual(Math.max(1, given.minReplicas));
        expect(scaled.last?.reason).not.toBe('');
        expect(scaled.last).toMatchObject({ from: before, to: target });
      }
    }),
  );
});

test('no replica goes in a panic, though the mean of its window lags behind the load', () => {
  const panic = { windowMs: 2_000, threshold: 2 };
  const scaled = new Scaled({ maxReplicas: 4, targetOngoingRequests: 2, downscaleDelayMs: 0, panic }, 4);
  const since = { panicRunning: 1, running: 4 };
  expect(scaled.at(0, 8, { ...since, panicLoad: 4.5 })).toBe(4);
  expect(scaled.last).toMatchObject({ desired: 4, to: 4 });
  // Once the window holds only the new replicas the load counts again.
  expect(scaled.at(100, 2, { panicRunning: 4, running: 4, panicLoad: 2 })).toBe(1);
});
