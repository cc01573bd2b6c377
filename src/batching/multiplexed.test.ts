import { describe, expect, test } from 'vitest';
import type { CallScope } from '../handle/call/scope.ts';
import { machineTime, useTime } from '../time/clock.ts';
import { ModelCache } from './model-cache.ts';
import { type MultiplexedOptions, multiplexed, observeModels } from './multiplexed.ts';

/** A loader that notes what happens. */
function hub(options: MultiplexedOptions = {}) {
  const events: string[] = [];
  const get = multiplexed(options, async (id: string) => {
    events.push(`load ${id}`);
    await new Promise((resolve) => setImmediate(resolve));
    if (id.startsWith('bad')) throw new RangeError(`no ${id}`);
    events.push(`loaded ${id}`);
    return { id, [Symbol.asyncDispose]: async () => void events.push(`dispose ${id}`) };
  });
  return { events, get };
}

/** Ray Serve's behaviours 50 and 52. */
describe('multiplexed', () => {
  test('50: the least recently used model is gone before the next one loads', async () => {
    const { events, get } = hub({ maxModelsPerReplica: 2 });
    for (const id of ['1', '2', '1', '3']) expect((await get(id)).id).toBe(id);
    expect(events).toEqual(['load 1', 'loaded 1', 'load 2', 'loaded 2', 'dispose 2', 'load 3', 'loaded 3']);
    await get('1');
    expect(events).toHaveLength(7);
  });

  test('52: loads at the same time share one; loads of different models take turns', async () => {
    const { events, get } = hub();
    const [a, b] = await Promise.all([get('x'), get('x'), get('y')]);
    expect(a).toBe(b);
    expect(events).toEqual(['load x', 'loaded x', 'load y', 'loaded y']);
  });

  test('52: a load that fails is not remembered, and holds nobody up', async () => {
    const { events, get } = hub();
    const outcomes = await Promise.allSettled([get('bad'), get('good')]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    await expect(get('bad')).rejects.toThrow('no bad');
    expect(events.filter((event) => event === 'load bad')).toHaveLength(2);
  });

  test('more models at a time than fit take turns: each comes, and never are there too many', async () => {
    let [held, peak] = [0, 0];
    const get = multiplexed({ maxModelsPerReplica: 2 }, async (id: string) => {
      peak = Math.max(peak, ++held);
      await new Promise((resolve) => setImmediate(resolve));
      return { id, [Symbol.dispose]: () => void held-- };
    });
    const ids = Array.from({ length: 12 }, (_, n) => `m${n % 6}`);
    expect((await Promise.all(ids.map((id) => get(id)))).map(({ id }) => id)).toEqual(ids);
    expect([held, peak]).toEqual([2, 2]);
  });

  test('security row 32: an id that leads elsewhere is none', async () => {
    const { events, get } = hub({ maxModelsPerReplica: -1 });
    const hostile = [
      '../../etc/passwd',
      '..',
      '.',
      'a/../b',
      'a/..',
      '/etc/passwd',
      'a//b',
      'a/',
      'a\\b',
      '%2e%2e%2fetc',
      'a\0',
      'a\r\nset-cookie: x',
      'x'.repeat(257),
      `${'a/'.repeat(50_000)}..`,
      7 as never,
    ];
    for (const id of hostile) {
      await expect(get(id)).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION', statusCode: 400 });
    }
    expect(events).toEqual([]);
    for (const id of ['mistralai/Mistral-7B:v0.1', 'straße', '...', 'a..b', 'user@example.com+1', 'de AT']) {
      expect((await get(id)).id).toBe(id);
    }
  });

  test('security row 32: any number of ids fills neither memory nor the time for loading', async () => {
    const { events, get } = hub({ maxModelsPerReplica: 2, maxLoadsPerSecond: 5 });
    const outcomes = await Promise.allSettled(Array.from({ length: 20_000 }, (_, n) => get(`m${n}`)));
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused.length).toBeGreaterThan(19_900);
    expect(refused[0]).toMatchObject({
      reason: { code: 'SERVE_BACKPRESSURE', retryable: true, retryAfterMs: 200 },
    });
    const loads = events.filter((event) => event.startsWith('load '));
    expect(loads.length + refused.length).toBe(20_000);
    expect(events.filter((event) => event.startsWith('dispose')).length).toBe(loads.length - 2);
    // Models that are there cost nothing.
    const [last = ''] = (loads.at(-1) ?? '').split(' ').slice(1);
    expect((await get(last)).id).toBe(last);
  });

  test('a load whose callers have all left before its turn is not made', async () => {
    const loads: string[] = [];
    const gate = Promise.withResolvers<void>();
    const cache = new ModelCache<string>(3, Infinity, { changed() {}, used() {}, loaded() {} });
    const load = (id: string) => async () => {
      loads.push(id);
      await gate.promise;
      return id;
    };
    const scope = (cancellation?: Error) => ({ cancellation }) as unknown as CallScope;
    const left = new Error('the caller left');
    const calls = [
      cache.get('running', scope(left), load('running')),
      cache.get('left', scope(left), load('left')),
      cache.get('wanted', scope(left), load('wanted')),
      cache.get('wanted', scope(), load('wanted')),
      cache.get('by itself', undefined, load('by itself')),
    ];
    gate.resolve();
    expect(await Promise.allSettled(calls)).toMatchObject([
      { reason: left },
      { reason: left },
      { value: 'wanted' },
      { value: 'wanted' },
      { value: 'by itself' },
    ]);
    expect(loads).toEqual(['wanted', 'by itself']);
    expect(cache.ids).toEqual(['wanted', 'by itself']);
  });

  test('the models that are there, or coming, are advertised, and what a load costs, and how stale the stalest is', async () => {
    let at = 1_000;
    using _ = useTime({ ...machineTime, now: () => at });
    let [models, stalestAt]: [readonly string[], number | undefined] = [[], undefined];
    const loads: number[] = [];
    observeModels({
      made() {},
      changed(ids) {
        models = ids;
      },
      used(usedAt) {
        stalestAt = usedAt;
      },
      loaded: (ms) => loads.push(ms),
    });
    const get = multiplexed({ maxModelsPerReplica: 2 }, async (id: string) => {
      at += id === 'slow' ? 300 : 100;
      const dispose = () => {
        at += 10;
      };
      return { id, [Symbol.dispose]: dispose };
    });
    const first = get('a');
    expect(models).toEqual(['a']);
    await first;
    expect(stalestAt).toBeUndefined();
    await get('b');
    expect([models, stalestAt]).toEqual([['a', 'b'], 1_100]);
    at += 50;
    await get('a');
    // Room for another one would be made by `b`.
    expect(stalestAt).toBe(1_200);
    await get('slow');
    expect([models, stalestAt]).toEqual([['a', 'slow'], 1_250]);
    expect(loads).toEqual([100, 100, 310]);
  });

  test('an empty id, and wrong options, are refused', async () => {
    const { get } = hub();
    await expect(get('')).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    // Outside a call nobody asked for a model.
    await expect(get()).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    expect(() => multiplexed({ maxLoadsPerSecond: 0 }, async () => 1)).toThrow(
      'multiplexed.maxLoadsPerSecond',
    );
    for (const maxModelsPerReplica of [0, -2, 1.5]) {
      expect(() => multiplexed({ maxModelsPerReplica }, async () => 1)).toThrow(
        expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }),
      );
    }
  });
});
