import { describe, expect, test } from 'vitest';
import { multiplexed, observeModels } from './multiplexed.ts';

/** A loader that notes what happens. */
function hub(options: { maxModelsPerReplica?: number } = {}) {
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

  test('the models that are there, or coming, are advertised', async () => {
    const seen: string[][] = [];
    observeModels((ids) => seen.push([...ids]));
    const { get } = hub({ maxModelsPerReplica: 1 });
    const first = get('a');
    expect(seen.at(-1)).toEqual(['a']);
    await first;
    await get('b');
    expect(seen.at(-1)).toEqual(['b']);
    observeModels(() => {});
  });

  test('an empty id, and wrong options, are refused', async () => {
    const { get } = hub();
    await expect(get('')).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    // Outside a call nobody asked for a model.
    await expect(get()).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    for (const maxModelsPerReplica of [0, -2, 1.5]) {
      expect(() => multiplexed({ maxModelsPerReplica }, async () => 1)).toThrow(
        expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }),
      );
    }
  });
});
