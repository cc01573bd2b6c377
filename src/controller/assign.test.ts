import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { entryOf } from '../store/snapshot.ts';
import { assignReplicas } from './assign.ts';

const NOTHING = { amounts: {}, gpus: 0 };

function assign(
  target: number,
  counts: Record<string, number>,
  instances: string[],
  room: Record<string, number> = {},
) {
  return assignReplicas({
    target,
    counts,
    instances,
    demand: Object.keys(room).length === 0 ? NOTHING : { amounts: { slots: 1 }, gpus: 0 },
    maxPerInstance: Infinity,
    space: (id) => ({ id, free: { slots: entryOf(room, id) ?? 0 }, gpus: [], replicas: 0 }),
  });
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((a, b) => a + b, 0);

describe('replicas are assigned to instances', () => {
  test('all to the only one, whether they fit or not', () => {
    expect(assign(3, {}, ['a'], { a: 1 })).toEqual({ a: 3 });
  });

  test('evenly where all have room', () => {
    expect(assign(5, {}, ['a', 'b'])).toEqual({ a: 3, b: 2 });
  });

  test('those that are there stay, and the instance with the most gives some up', () => {
    expect(assign(5, { a: 3, b: 1 }, ['a', 'b'])).toEqual({ a: 3, b: 2 });
    expect(assign(3, { a: 3, b: 1 }, ['a', 'b'])).toEqual({ a: 2, b: 1 });
  });

  test('where they fit', () => {
    expect(assign(4, { a: 1 }, ['a', 'b'], { a: 0, b: 9 })).toEqual({ a: 1, b: 3 });
  });

  test('what fits nowhere is pending where the fewest are', () => {
    expect(assign(4, { a: 1 }, ['a', 'b'], { a: 1, b: 0 })).toEqual({ a: 2, b: 2 });
  });

  test('away from an instance that is gone', () => {
    expect(assign(3, { a: 1, gone: 2 }, ['a', 'b'])).toEqual({ a: 2, b: 1 });
  });

  test('whatever was before: the counts add up to the target, and a second time nothing changes', () => {
    const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'constructor'), { minLength: 1 });
    const counts = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'gone'), fc.integer({ min: 0, max: 6 }));
    const room = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 0, max: 4 }), {
      minKeys: 1,
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 12 }), counts, ids, room, (target, before, instances, free) => {
        const after = assign(target, before, instances, free);
        expect(sum(after)).toBe(target);
        expect(Object.keys(after).sort()).toEqual([...instances].sort());
        for (const count of Object.values(after)) expect(count).toBeGreaterThanOrEqual(0);
        expect(assign(target, after, instances, free)).toEqual(after);
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});
