import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { AppSpec } from '../deployment/app-spec.ts';
import { routeKey } from '../handle/routing/directory.ts';
import { MemoryStore } from './memory-store.ts';
import { entryOf, FULL_CAPACITY, plannedReplicas, type Snapshot } from './snapshot.ts';
import type { Change } from './store.ts';

const KEY = routeKey('speech', 'Detector');

function app(name: string, version = 'v1'): AppSpec {
  return {
    name,
    ingress: version,
    ingressClass: '',
    ingressFace: { http: true, webSocket: false },
    deployments: [],
  };
}

/** Names that objects inherit are names like all others. */
const name = fc.constantFrom('speech', 'text', 'constructor', '__proto__', 'toString');
const count = fc.integer({ min: 0, max: 9 });
const trial = fc.record({
  kind: fc.constantFrom('canary' as const, 'shadow' as const),
  app: name,
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  seed: count,
});
const scale = fc.oneof(fc.record({ replicas: count }), fc.record({ min: count, max: count }));
const key = fc.tuple(name, name).map(([of, deployment]) => routeKey(of, deployment));
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    type: fc.constant('declare' as const),
    instance: name,
    app: fc.tuple(name, name).map(([n, v]) => app(n, v)),
  }),
  fc.record({ type: fc.constant('withdraw' as const), instance: name, app: name }),
  fc.record({
    type: fc.constant('capacity' as const),
    capacity: fc.record({
      percent: fc.option(count, { nil: undefined }),
      direction: fc.constantFrom('up', 'down', undefined),
    }),
  }),
  fc.record({ type: fc.constant('scale' as const), key, scale: fc.option(scale, { nil: undefined }) }),
  fc.record({ type: fc.constant('trial' as const), app: name, trial: fc.option(trial, { nil: undefined }) }),
  fc.record({ type: fc.constant('forget' as const), app: name }),
  fc.record({
    type: fc.constant('plan' as const),
    counts: fc.dictionary(key, fc.dictionary(name, count)),
    shares: fc.dictionary(name, trial),
  }),
);

function assertFrozen(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  expect(Object.isFrozen(value)).toBe(true);
  for (const item of Object.values(value)) assertFrozen(item);
}

describe('the memory store', () => {
  test('applies a change before propose returns', () => {
    const store = new MemoryStore();
    void store.propose({ type: 'scale', key: KEY, scale: { replicas: 3 } }, 1);
    expect(store.read().overrides).toMatchObject({ generation: 1, scales: { [KEY]: { replicas: 3 } } });
  });

  test('answers the snapshot that has the change', async () => {
    const store = new MemoryStore();
    const snapshot = await store.propose({ type: 'declare', instance: 'i', app: app('speech') }, 1);
    expect(snapshot).toBe(store.read());
    expect(snapshot.declarations['i']?.apps['speech']).toEqual(app('speech'));
  });

  test('refuses a change of a controller that no longer leads', async () => {
    const store = new MemoryStore();
    await store.propose({ type: 'plan', counts: { [KEY]: { i: 2 } }, shares: {} }, 7);
    const late = store.propose({ type: 'plan', counts: {}, shares: {} }, 6);
    await expect(late).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    expect(plannedReplicas(store.read(), KEY)).toBe(2);
  });

  test('takes plain data only', () => {
    const store = new MemoryStore();
    const before = store.read();
    const withFunction = { ...app('speech'), ingressFace: () => {} } as unknown as AppSpec;
    expect(() => store.propose({ type: 'declare', instance: 'i', app: withFunction }, 1)).toThrow('clone');
    expect(store.read()).toBe(before);
  });

  test('keeps what it was given from later changes of it', () => {
    const store = new MemoryStore();
    const capacity = { percent: 50, direction: 'up' as const };
    void store.propose({ type: 'capacity', capacity }, 1);
    capacity.percent = 0;
    expect(store.read().overrides.capacity.percent).toBe(50);
  });

  test('tells a change that a listener proposes after the one that it heard of', () => {
    const store = new MemoryStore();
    const seen: number[] = [];
    store.watch(({ overrides }) => {
      if (overrides.generation === 1) void store.propose({ type: 'scale', key: KEY, scale: undefined }, 1);
    });
    store.watch(({ overrides }) => seen.push(overrides.generation));
    void store.propose({ type: 'scale', key: KEY, scale: { replicas: 3 } }, 1);
    expect(seen).toEqual([1, 2]);
  });

  test('tells nobody who stopped to listen', () => {
    const store = new MemoryStore();
    const listener = vi.fn();
    const end = store.watch(listener);
    end();
    void store.propose({ type: 'capacity', capacity: { percent: 1, direction: 'up' } }, 1);
    expect(listener).not.toHaveBeenCalled();
  });

  test('forgets what people said about a deleted app, and nothing else', () => {
    const store = new MemoryStore();
    const other = routeKey('speech2', 'Detector');
    for (const of of [KEY, other]) void store.propose({ type: 'scale', key: of, scale: { replicas: 3 } }, 1);
    void store.propose({ type: 'forget', app: 'speech' }, 1);
    expect(store.read().overrides.scales).toEqual({ [other]: { replicas: 3 } });
    expect(store.read().overrides.capacity).toEqual(FULL_CAPACITY);
  });

  test('whatever is proposed: snapshots are plain and frozen, numbers grow by one with a change, and listeners hear of it', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const store = new MemoryStore();
        let heard: Snapshot = store.read();
        store.watch((snapshot) => {
          heard = snapshot;
        });
        for (const one of changes) {
          const before = store.read();
          const copy = structuredClone(before);
          void store.propose(one, 1);
          const after = store.read();
          expect(before).toEqual(copy);
          expect(heard).toBe(after);
          assertFrozen(after);
          expect(structuredClone(after)).toEqual(after);
          const steps = [
            after.overrides.generation - before.overrides.generation,
            after.plan.number - before.plan.number,
          ];
          expect(steps).toEqual([
            Number(after.overrides !== before.overrides),
            Number(after.plan !== before.plan),
          ]);
          // A second time it changes nothing.
          void store.propose(one, 1);
          expect(store.read()).toBe(after);
          if (one.type === 'declare')
            expect(entryOf(entryOf(after.declarations, one.instance)?.apps ?? {}, one.app.name)).toEqual(
              one.app,
            );
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});
