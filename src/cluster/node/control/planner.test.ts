import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { demandOf } from '../../../deployment/options/resources.ts';
import type { PlannedMember } from './fleet-space.ts';
import { type PlannedDeployment, planCounts } from './planner.ts';

function member(id: string, cpus = 8, zone = ''): PlannedMember {
  return { id, zone, resources: { cpus: cpus * 10_000 }, gpus: 0 };
}

function deployment(wanted: number, options: Partial<PlannedDeployment> = {}): PlannedDeployment {
  return {
    key: 'x',
    demand: demandOf({ cpus: 1 }),
    wanted,
    isEnding: wanted === 0,
    surge: 0,
    minPerInstance: 0,
    maxPerInstance: Infinity,
    hosts: ['a', 'b'],
    base: new Map(),
    running: new Map(),
    asking: undefined,
    ...options,
  };
}

function countsOf(
  planned: PlannedDeployment,
  members = [member('a'), member('b')],
  budget = 100,
): Record<string, number> {
  return Object.fromEntries(planCounts([planned], members, budget).counts.get('x') ?? []);
}

describe('planCounts', () => {
  test('places what is missing and leaves the rest where it is', () => {
    expect(countsOf(deployment(5, { base: new Map([['a', 3]]) }))).toEqual({ a: 3, b: 2 });
  });

  test('what fits nowhere is pending', () => {
    const { pending } = planCounts([deployment(5)], [member('a', 2), member('b', 1)], 0);
    expect(pending.get('x')?.replicas).toBe(2);
  });

  test('the instance that asks gets the first replica if it fits there', () => {
    expect(countsOf(deployment(1, { asking: 'b' }))).toEqual({ b: 1 });
    expect(countsOf(deployment(1, { asking: 'b' }), [member('a'), member('b', 0)])).toEqual({ a: 1 });
  });

  test('surplus goes within the budget, replicas that do not run first', () => {
    const base = new Map([
      ['a', 3],
      ['b', 3],
    ]);
    const running = new Map([
      ['a', 3],
      ['b', 1],
    ]);
    expect(countsOf(deployment(2, { base, running }), undefined, 3)).toEqual({ a: 2, b: 1 });
    expect(countsOf(deployment(2, { base, running }), undefined, 0)).toEqual({ a: 3, b: 3 });
  });

  test('the last one that runs stays until others run', () => {
    const base = new Map([
      ['a', 1],
      ['b', 1],
    ]);
    expect(countsOf(deployment(1, { base, running: new Map([['a', 1]]) }))).toEqual({ a: 1, b: 0 });
  });

  test('an instance on its way out keeps what runs until its successors do', () => {
    const options = { hosts: ['b'], base: new Map([['a', 2]]) };
    expect(countsOf(deployment(2, { ...options, running: new Map([['a', 2]]) }))).toEqual({ a: 2, b: 2 });
    const base = new Map([
      ['a', 2],
      ['b', 2],
    ]);
    const one = new Map([
      ['a', 2],
      ['b', 1],
    ]);
    expect(countsOf(deployment(2, { hosts: ['b'], base, running: one }))).toEqual({ a: 1, b: 2 });
    const both = new Map([
      ['a', 2],
      ['b', 2],
    ]);
    expect(countsOf(deployment(2, { hosts: ['b'], base, running: both }))).toEqual({ a: 0, b: 2 });
  });

  test('never removes more than the budget, never places more than fits, and reaches what is wanted', () => {
    const ids = ['a', 'b', 'c', 'd'];
    const amounts = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(
        amounts,
        amounts,
        fc.integer({ min: 0, max: 20 }),
        fc.integer({ min: 0, max: 10 }),
        (base, runs, wanted, budget) => {
          const members = ids.map((id) => member(id, 6));
          const before = new Map(ids.map((id, index) => [id, base[index] ?? 0]));
          const running = new Map(ids.map((id, index) => [id, Math.min(runs[index] ?? 0, base[index] ?? 0)]));
          const planned = deployment(wanted, { hosts: ids, base: before, running });
          const { counts, removed, pending } = planCounts([planned], members, budget);
          const own = counts.get('x') ?? new Map<string, number>();
          const total = [...own.values()].reduce((sum, count) => sum + count, 0);
          expect(removed).toBeLessThanOrEqual(budget);
          for (const count of own.values()) expect(count).toBeLessThanOrEqual(6);
          expect(total + (pending.get('x')?.replicas ?? 0)).toBeGreaterThanOrEqual(wanted);
          const had = [...running.values()].some((count) => count > 0);
          const has = ids.some((id) => Math.min(own.get(id) ?? 0, running.get(id) ?? 0) > 0);
          if (had && wanted > 0) expect(has).toBe(true);
        },
      ),
    );
  });
});
