import { describe, expect, test } from 'vitest';
import { routeKey } from '../../handle/routing/directory.ts';
import { FleetTargets } from './fleet-targets.ts';

const KEY = routeKey('speech', 'Detector');
const OTHER = routeKey('speech', 'Segmenter');

describe('the numbers of replicas that a fleet wants here', () => {
  test('are unknown, not zero, before a plan', () => {
    const targets = new FleetTargets();
    expect(targets.target(KEY)).toBeUndefined();
    targets.apply({ targets: { [KEY]: 0, [OTHER]: 1 }, undecided: [KEY, OTHER], cause: 'boot' });
    expect([targets.target(KEY), targets.target(OTHER)]).toEqual([undefined, 1]);
  });

  test('are those of the plan, zero too', () => {
    const targets = new FleetTargets();
    targets.apply({ targets: { [KEY]: 3, [OTHER]: 0 }, undecided: [], cause: 'plan' });
    expect([targets.target(KEY), targets.target(OTHER)]).toEqual([3, 0]);
    targets.apply({ targets: { [KEY]: 1 }, undecided: [], cause: 'plan' });
    expect([targets.target(KEY), targets.target(OTHER)]).toEqual([1, undefined]);
  });

  test('do not fall when the fleet thread starts anew and knows no plan', () => {
    const targets = new FleetTargets();
    targets.apply({ targets: { [KEY]: 3 }, undecided: [], cause: 'plan' });
    targets.apply({ targets: { [KEY]: 0 }, undecided: [KEY, OTHER], cause: 'boot' });
    expect(targets.target(KEY)).toBe(3);
    targets.apply({ targets: { [KEY]: 1, [OTHER]: 1 }, undecided: [], cause: 'alone' });
    expect([targets.target(KEY), targets.target(OTHER)]).toEqual([3, 1]);
    targets.apply({ targets: { [KEY]: 1 }, undecided: [], cause: 'plan' });
    expect(targets.target(KEY)).toBe(1);
  });

  test('rise and fall with the plan of an instance that never saw a fleet', () => {
    const targets = new FleetTargets();
    targets.apply({ targets: { [KEY]: 4 }, undecided: [], cause: 'alone' });
    targets.apply({ targets: { [KEY]: 2 }, undecided: [], cause: 'alone' });
    expect(targets.target(KEY)).toBe(2);
  });

  test('of a deployment that no plan covers stay unknown beside others', () => {
    const targets = new FleetTargets();
    targets.apply({ targets: { [KEY]: 0, [OTHER]: 0 }, undecided: [OTHER], cause: 'plan' });
    expect([targets.target(KEY), targets.target(OTHER)]).toEqual([0, undefined]);
    targets.apply({ targets: { [KEY]: 0, [OTHER]: 0 }, undecided: [], cause: 'plan' });
    expect(targets.target(OTHER)).toBe(0);
  });

  test('of a deployment by an inherited name are unknown', () => {
    expect(new FleetTargets().target('constructor' as typeof KEY)).toBeUndefined();
  });
});
