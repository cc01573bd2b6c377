import { describe, expect, test } from 'vitest';
import { autoscalingOf } from '../deployment/options/autoscaling-options.ts';
import { FULL_CAPACITY } from '../store/snapshot.ts';
import { atCapacity, boundsAt, nextCapacity, targetOf, withScale } from './target-capacity.ts';

/** Behaviour 68, and Ray's `get_capacity_adjusted_num_replicas`. */
describe('target capacity', () => {
  test.each([
    [6, 50, 3],
    [2, 50, 1],
    [6, 0, 0],
    [0, 50, 0],
    [3, 50, 2],
    [10, 1, 1],
    [5, undefined, 5],
    [7, 100, 7],
    [10, 25, 3],
  ])('%d replicas at %s %% are %d', (replicas, percent, expected) => {
    expect(atCapacity(replicas, percent)).toBe(expected);
  });

  test('the direction follows the changes, and starts upwards with the first config', () => {
    const first = nextCapacity(FULL_CAPACITY, 20, false);
    expect(first.direction).toBe('up');
    const more = nextCapacity(first, 60, true);
    expect(more).toEqual({ percent: 60, direction: 'up' });
    expect(nextCapacity(more, 60, true)).toBe(more);
    expect(nextCapacity(more, 10, true).direction).toBe('down');
    expect(nextCapacity(FULL_CAPACITY, 80, true).direction).toBe('down');
    expect(nextCapacity(more, undefined, true)).toBe(FULL_CAPACITY);
  });

  test('while the capacity goes up, initialReplicas is the least', () => {
    const autoscaling = autoscalingOf(undefined, { minReplicas: 0, maxReplicas: 20, initialReplicas: 10 });
    if (autoscaling === undefined) throw new Error('not autoscaled');
    expect(boundsAt(autoscaling, { percent: 50, direction: 'up' })).toEqual({ min: 5, max: 10 });
    expect(boundsAt(autoscaling, { percent: 50, direction: 'down' })).toEqual({ min: 0, max: 10 });
    expect(boundsAt(autoscaling, FULL_CAPACITY)).toEqual({ min: 0, max: 20 });
  });

  test('an autoscaled deployment starts with initialReplicas, then keeps what it has within its bounds', () => {
    const options = {
      numReplicas: 2,
      autoscaling: autoscalingOf(undefined, { minReplicas: 0, maxReplicas: 6, initialReplicas: 2 }),
    };
    expect(targetOf(options, FULL_CAPACITY, undefined)).toBe(2);
    expect(targetOf(options, FULL_CAPACITY, 5)).toBe(5);
    expect(targetOf(options, FULL_CAPACITY, 9)).toBe(6);
    expect(targetOf(options, { percent: 50, direction: 'down' }, 5)).toBe(3);
    expect(targetOf({ numReplicas: 4, autoscaling: undefined }, FULL_CAPACITY, 9)).toBe(4);
  });
});

describe('what scale() set', () => {
  const autoscaling = autoscalingOf(undefined, { minReplicas: 2, maxReplicas: 8, initialReplicas: 4 });
  const elastic = { numReplicas: 4, autoscaling };
  const fixed = { numReplicas: 3, autoscaling: undefined };

  test('as a number takes the place of a number and of autoscaling', () => {
    for (const options of [fixed, elastic])
      expect(withScale(options, { replicas: 6 })).toEqual({ numReplicas: 6, autoscaling: undefined });
  });

  test('as bounds takes the place of bounds', () => {
    const { autoscaling: bounded } = withScale(elastic, { min: 0, max: 3 });
    expect(bounded).toMatchObject({ minReplicas: 0, maxReplicas: 3, initialReplicas: 3 });
  });

  test('as bounds waits until the deployment is autoscaled', () => {
    expect(withScale(fixed, { min: 0, max: 3 })).toEqual(fixed);
  });

  test('is nothing: the options count', () => {
    expect(withScale(elastic, undefined)).toEqual(elastic);
  });
});
