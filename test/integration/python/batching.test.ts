import { describe, expect, test } from 'vitest';
import { kwargs } from '../../../src/index.ts';
import { basics, PairsDeployment } from '../../fixtures/python/deployments.ts';
import { SumsDeployment } from '../../fixtures/python/web.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually } from '../../support/until.ts';

describe.skipIf(!HAS_PYTHON)('batches in Python (skipped without Python 3.9 or newer)', () => {
  test('collect remote calls, of which single items may fail', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basics);
    const results = await Promise.allSettled([1, 13, 3, 4].map((item) => handle.double.remote(item)));
    expect(
      results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message)),
    ).toEqual([2, 'thirteen', 6, 8]);
    expect(await handle.batch_sizes.remote()).toEqual([4]);
    const wrong = await Promise.allSettled(['short', 'a'].map((item) => handle.lengths.remote(item)));
    for (const result of wrong)
      expect(result).toMatchObject({
        reason: { message: expect.stringContaining('2 items came in, 0 out') },
      });
    expect(await handle.lengths.remote('abc')).toBe(3);
  });

  test.each(['double', 'count_down'] as const)(
    'take one item: other arguments of %s are refused, and its batch is not disturbed',
    async (method) => {
      await using serve = quietServe();
      const handle = await serve.run(basics);
      const call = (...args: unknown[]): Promise<unknown> => {
        const response: unknown = Reflect.apply(handle[method].remote, handle[method], args);
        return method === 'double'
          ? (response as Promise<unknown>)
          : Array.fromAsync(response as AsyncIterable<unknown>);
      };
      const refused = (got: string) => ({
        code: 'SERVE_INVALID_OPTION',
        message: expect.stringContaining(
          `${method}(): a batched method takes one positional argument, its item; got ${got}`,
        ),
      });
      const fine = call(5);
      await expect(call(kwargs({ item: 1 }))).rejects.toMatchObject(refused('kwargs()'));
      await expect(call(1, kwargs({ top: 3 }))).rejects.toMatchObject(refused('kwargs()'));
      await expect(call(1, 2)).rejects.toMatchObject(refused('2 arguments'));
      expect(await fine).toEqual(method === 'double' ? 10 : [5, 4, 3]);
    },
  );

  test('collect calls within Python as well', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basics);
    const results = [1, 2, 3, 4, 5].map((item) => handle.through_batch.remote(item));
    expect(await Promise.all(results)).toEqual([2, 4, 6, 8, 10]);
    expect(await handle.batch_sizes.remote()).toEqual([4, 1]);
  });

  test('keep the size that the deployment gave when Python changes the wait', async () => {
    await using serve = quietServe();
    const handle = await serve.run(PairsDeployment.bind());
    await handle.wait_at_most.remote(0.04);
    expect(await Promise.all([1, 2, 3, 4].map((item) => handle.double.remote(item)))).toEqual([2, 4, 6, 8]);
    expect(await handle.batch_sizes.remote()).toEqual([2, 2]);
  });

  test('stream to each caller its own values', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basics);
    const read = async (item: number): Promise<number[]> => Array.fromAsync(handle.count_down.remote(item));
    expect(await Promise.all([read(10), read(20)])).toEqual([
      [10, 9, 8],
      [20, 19, 18],
    ]);
  });

  test('of one shape arrive as one array, others as a list', async () => {
    await using serve = quietServe();
    const handle = await serve.run(SumsDeployment.bind());
    const rows = [[1, 2], [3, 4], Float32Array.from([1, 1, 1]), 'text'];
    expect(await Promise.all(rows.map((row) => handle.stacked.remote(row as number[])))).toEqual([
      3, 7, 3, 1,
    ]);
    const seen = await handle.seen.remote();
    expect(seen).toHaveLength(3);
    expect(seen).toEqual(
      expect.arrayContaining([expect.stringContaining('(2, 2)'), expect.stringContaining('1'), 'list 1']),
    );
    expect(await Promise.all([[1], [2]].map((row) => handle.remote(row)))).toEqual([1, 2]);
  });

  test('are counted under the names of their methods', async () => {
    await using serve = quietServe();
    const handle = await serve.run(SumsDeployment.bind());
    const answers = [handle.remote([1]), handle.weighed.remote([2]), handle.stacked.remote([3])];
    expect(await Promise.all(answers)).toEqual([1, 2, 3]);
    expect(await Array.fromAsync(handle.weighed_stream.remote([4]))).toEqual([4]);
    const counted = async (): Promise<(string | undefined)[]> =>
      [...(await serve.metrics()).matchAll(/^serve_batch_size_count\{.*function="(\w*)".*\} 1$/gm)]
        .map(([, name]) => name)
        .sort();
    await eventually(async () => (await counted()).length === 4);
    expect(await counted()).toEqual(['call', 'stacked', 'weighed', 'weighed_stream']);
  });

  test('of other models are kept apart, and replicas keep the models that they loaded', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basics);
    for (const id of ['a', 'b', 'c', 'c'])
      expect(await handle.options({ multiplexedModelId: id }).predict.remote()).toBe(`model ${id}`);
    await expect(handle.predict.remote()).rejects.toMatchObject({
      message: expect.stringContaining('model id'),
    });
  });
});
