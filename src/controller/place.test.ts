import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { toUnits, WHOLE } from '../deployment/options/resource-units.ts';
import { demandOf, type Resources } from '../deployment/options/resources.ts';
import { type InstanceSpace, type Placed, place } from './place.ts';

function space(id: string, { gpus = 0, ...amounts }: Resources, replicas = 0): InstanceSpace {
  const free = Object.entries(amounts).map(([name, amount]) => [name, toUnits(amount ?? 0)]);
  return { id, free: Object.fromEntries(free), gpus: new Array(gpus).fill(WHOLE), replicas };
}

function run(needs: Resources, count: number, instances: InstanceSpace[], maxPerInstance = Infinity): Placed {
  return place({ demand: demandOf(needs), count, maxPerInstance }, instances);
}

const where = ({ placements }: Placed): string => placements.map(({ instance }) => instance).join('');

describe('place', () => {
  test('spreads, and fills up those that have fewer', () => {
    const instances = [space('a', { cpus: 9 }, 2), space('b', { cpus: 9 }), space('c', { cpus: 9 }, 1)];
    expect(where(run({ cpus: 1 }, 6, instances))).toBe('bcbacb');
  });

  test('of equals the one with the most room', () => {
    expect(where(run({ cpus: 1 }, 1, [space('a', { cpus: 2 }), space('b', { cpus: 8 })]))).toBe('b');
    expect(where(run({}, 2, [space('a', {}), space('b', {})]))).toBe('ab');
  });

  test('fractions add up exactly: ten tenths fit, the eleventh does not', () => {
    const { placements, pending } = run({ cpus: 0.1 }, 11, [space('a', { cpus: 1 })]);
    expect(placements).toHaveLength(10);
    expect(pending).toEqual({ replicas: 1, reason: 'a replica needs 0.1 cpus where 0 are free here' });
  });

  test('says what is missing, on the instance that comes closest', () => {
    const reason = (needs: Resources, ...instances: InstanceSpace[]): string | undefined =>
      run(needs, 1, instances).pending?.reason;
    expect(reason({ cpus: 4 }, space('a', { cpus: 2 }), space('b', { cpus: 3 }))).toMatch(
      'a replica needs 4 cpus where 2 are free on any of 2 instances',
    );
    expect(reason({ slots: 2 }, space('a', { slots: 1 }))).toBe(
      'a replica needs 2 slots where 1 are free here',
    );
    expect(reason({ gpus: 2 }, space('a', { gpus: 1 }))).toBe('a replica needs 2 gpus where 1 are free here');
    expect(reason({ gpus: 0.5, cpus: 3 }, space('a', { cpus: 1 }))).toBe(
      'a replica needs 3 cpus where 1 are free and 0.5 gpus where no gpu exists here',
    );
    expect(reason({ cpus: 1 })).toBe('no instance is available to place it on');
  });

  test('says what to do about a resource that no instance has', () => {
    const reason = (needs: Resources): string | undefined =>
      run(needs, 1, [space('a', { cpus: 2, slots: 0 })]).pending?.reason;
    expect(reason({ licences: 1 })).toBe(
      'a replica needs 1 licences where 0 are free here; no instance has licences: ' +
        'give it with createServe({ resources: { licences: … } })',
    );
    expect(reason({ cpu: 1 })).toBe(
      'a replica needs 1 cpu where 0 are free here; no instance has cpu: did you mean cpus? If not, ' +
        'give it with createServe({ resources: { cpu: … } })',
    );
    expect(reason({ slots: 1 })).toBe('a replica needs 1 slots where 0 are free here');
  });

  test('maxReplicasPerInstance counts those that are there', () => {
    const { placements, pending } = run({}, 3, [space('a', {}, 1), space('b', {})], 2);
    expect(placements.map(({ instance }) => instance)).toEqual(['b', 'a', 'b']);
    expect(pending).toBeUndefined();
    expect(run({}, 1, [space('a', {}, 2)], 2).pending?.reason).toBe(
      'maxReplicasPerInstance (2) is reached here',
    );
  });

  test('fractions of a gpu share a device, whole gpus are exclusive', () => {
    const devices = (needs: Resources, count: number, gpus: number): unknown =>
      run(needs, count, [space('a', { gpus })]).placements.map((placement) => placement.gpus);
    expect(devices({ gpus: 0.5 }, 5, 2)).toEqual([[0], [0], [1], [1]]);
    expect(devices({ gpus: 0.4 }, 5, 2)).toEqual([[0], [0], [1], [1]]);
    expect(devices({ gpus: 1 }, 3, 2)).toEqual([[0], [1]]);
    expect(devices({ gpus: 2 }, 2, 4)).toEqual([
      [0, 1],
      [2, 3],
    ]);
    const shared = { ...space('a', {}), gpus: [WHOLE, 0.5 * WHOLE] };
    expect(run({ gpus: 0.3 }, 1, [shared]).placements).toEqual([{ instance: 'a', gpus: [1] }]);
    expect(run({ gpus: 2 }, 1, [shared]).pending?.replicas).toBe(1);
  });

  test('nothing is ever overbooked, and nothing is left out that would fit', () => {
    const amounts = fc.record({ cpus: fc.integer({ min: 0, max: 8 }), gpus: fc.integer({ min: 0, max: 3 }) });
    const needs = fc.record({
      cpus: fc.integer({ min: 1, max: 30 }).map((tenths) => tenths / 10),
      gpus: fc.constantFrom(0, 0.25, 0.3, 0.5, 1, 2),
    });
    const instances = fc.array(fc.tuple(amounts, fc.integer({ min: 0, max: 5 })), { maxLength: 12 });
    fc.assert(
      fc.property(instances, needs, fc.integer({ min: 0, max: 40 }), (has, needed, count) => {
        const spaces = has.map(([own, replicas], index) => space(`i${index}`, own, replicas));
        const { placements, pending } = run(needed, count, spaces, 7);
        expect(placements.length + (pending?.replicas ?? 0)).toBe(count);
        const demand = demandOf(needed);
        for (const { id, free, gpus, replicas } of spaces) {
          const own = placements.filter(({ instance }) => instance === id);
          expect(own.length * (demand.amounts['cpus'] ?? 0)).toBeLessThanOrEqual(free['cpus'] ?? 0);
          expect(replicas + own.length).toBeLessThanOrEqual(Math.max(7, replicas));
          for (const [device] of gpus.entries()) {
            const users = own.filter((placement) => placement.gpus.includes(device));
            if (needed.gpus >= 1) expect(users.length).toBeLessThanOrEqual(1);
            else expect(users.length * demand.gpus).toBeLessThanOrEqual(WHOLE);
          }
        }
        // Placing what was left once more finds no room.
        if (pending === undefined) return;
        const rest = spaces.map(({ id, free, gpus, replicas }) => {
          const own = placements.filter(({ instance }) => instance === id);
          const cpus = (free['cpus'] ?? 0) - own.length * (demand.amounts['cpus'] ?? 0);
          const left = gpus.map((units, device) => {
            const users = own.filter((placement) => placement.gpus.includes(device)).length;
            return units - users * Math.min(demand.gpus, WHOLE);
          });
          return { id, free: { cpus }, gpus: left, replicas: replicas + own.length };
        });
        expect(run(needed, 1, rest, 7).placements).toEqual([]);
      }),
    );
  });
});
