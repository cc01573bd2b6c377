import { describe, expect, test } from 'vitest';
import { WHOLE } from '../../../deployment/options/resource-units.ts';
import { desiredInstances } from './desired-instances.ts';
import type { PlannedMember } from './fleet-space.ts';
import type { PlannedDeployment } from './planner.ts';

function member(id: string, cpus: number): PlannedMember {
  return { id, zone: '', resources: { cpus: cpus * WHOLE }, gpus: 0 };
}

function deployment(wanted: number, cpus: number, base: Record<string, number> = {}): PlannedDeployment {
  return {
    key: `app/${wanted}`,
    demand: { amounts: cpus === 0 ? {} : { cpus: cpus * WHOLE }, gpus: 0 },
    wanted,
    isEnding: wanted === 0,
    surge: 0,
    minPerInstance: 0,
    maxPerInstance: Infinity,
    hosts: [],
    base: new Map(Object.entries(base)),
    running: new Map(),
    asking: undefined,
  };
}

describe('the number of instances that the wanted replicas need', () => {
  const fleet = [member('a', 4), member('b', 4), member('c', 16)];

  test('leaves a fifth of the cpus of the median instance free', () => {
    // 3.2 of 4 cpus: three replicas of one cpu each.
    expect(desiredInstances([deployment(3, 1)], fleet)).toBe(1);
    expect(desiredInstances([deployment(4, 1)], fleet)).toBe(2);
    expect(desiredInstances([deployment(10, 1)], fleet)).toBe(4);
  });

  test('packs what fits together', () => {
    expect(desiredInstances([deployment(2, 2), deployment(2, 1)], fleet)).toBe(2);
    expect(desiredInstances([deployment(2, 2), deployment(3, 1)], fleet)).toBe(3);
  });

  test('is one instance for each replica that is too large', () => {
    expect(desiredInstances([deployment(2, 8)], fleet)).toBe(2);
  });

  test('is never less than one', () => {
    expect(desiredInstances([], fleet)).toBe(3);
    expect(desiredInstances([deployment(0, 1)], [member('a', 4)])).toBe(1);
  });

  test('without reserved cpus keeps the replicas per instance', () => {
    expect(desiredInstances([deployment(9, 0, { a: 2, b: 2, c: 2 })], fleet)).toBe(5);
    expect(desiredInstances([deployment(0, 0, { a: 2, b: 2, c: 2 })], fleet)).toBe(1);
  });
});
