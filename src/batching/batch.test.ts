import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../test/support/until.ts';
import { batch } from './batch.ts';
import { batchError } from './batch-error.ts';

const settle = async (calls: Promise<unknown>[]): Promise<unknown[]> =>
  (await Promise.allSettled(calls)).map((outcome) =>
    outcome.status === 'fulfilled' ? outcome.value : (outcome.reason as Error),
  );

/** A batched doubling that notes the sizes of its batches. */
function doubling(options: Parameters<typeof batch>[0] = {}): {
  sizes: number[];
  double: (n: number) => Promise<number>;
} {
  const sizes: number[] = [];
  const double = batch<number, number>(options as object, async (numbers) => {
    sizes.push(numbers.length);
    return numbers.map((n) => n * 2);
  });
  return { sizes, double };
}

/** Ray Serve's behaviours 42–49. */
describe('batch', () => {
  test('42: a full batch goes at once, the rest after the wait', async () => {
    const { sizes, double } = doubling({ maxBatchSize: 5, batchWaitTimeoutMs: 20 });
    const results = await Promise.all([1, 2, 3, 4, 5, 6].map((n) => double(n)));
    expect(results).toEqual([2, 4, 6, 8, 10, 12]);
    expect(sizes).toEqual([5, 1]);
  });

  test('42: without a wait it takes what is there', async () => {
    const { sizes, double } = doubling({ batchWaitTimeoutMs: 0 });
    await Promise.all([1, 2, 3].map((n) => double(n)));
    await double(4);
    expect(sizes).toEqual([3, 1]);
  });

  test('43: an error, or the wrong number of results, fails its own batch only', async () => {
    let mode: 'throw' | 'short' | 'good' = 'throw';
    const fn = batch<number, number>({ maxBatchSize: 2 }, async (numbers) => {
      if (mode === 'throw') throw new RangeError('no');
      return mode === 'short' ? numbers.slice(1) : numbers;
    });
    expect(await settle([fn(1), fn(2)])).toEqual([new RangeError('no'), new RangeError('no')]);
    mode = 'short';
    const [first, second] = await settle([fn(1), fn(2)]);
    expect(first).toEqual(
      new TypeError('a batched function must return one result per item: 2 items came in, a list of 1 out'),
    );
    expect(second).toEqual(first);
    mode = 'good';
    expect(await Promise.all([fn(1), fn(2)])).toEqual([1, 2]);
  });

  test('44: a new batch size holds from the next batch on', async () => {
    const { sizes, double } = doubling({ maxBatchSize: 2, batchWaitTimeoutMs: 5 });
    const changed = double as typeof double & {
      setMaxBatchSize(n: number): void;
      setBatchWaitTimeoutMs(ms: number): void;
    };
    await Promise.all([1, 2].map((n) => double(n)));
    changed.setMaxBatchSize(4);
    changed.setBatchWaitTimeoutMs(1_000);
    await Promise.all([1, 2, 3, 4].map((n) => double(n)));
    expect(sizes).toEqual([2, 4]);
    expect(() => changed.setMaxBatchSize(0)).toThrow(
      expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }),
    );
    expect(() => changed.setBatchWaitTimeoutMs(-1)).toThrow(
      expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }),
    );
  });

  test('45: streams of one batch end at different lengths', async () => {
    const { END_OF_STREAM } = await import('./batch.ts');
    const fn = batch<number, number>({ maxBatchSize: 3 }, async function* (lengths) {
      for (let at = 0; at < 5; at++)
        yield lengths.map((length) => (at < length ? at : (END_OF_STREAM as never)));
    });
    const streams = await Promise.all([1, 3, 5].map((length) => Array.fromAsync(fn(length))));
    expect(streams).toEqual([[0], [0, 1, 2], [0, 1, 2, 3, 4]]);
  });

  test('45: a generator that throws fails the streams that are open', async () => {
    const fn = batch<number, number>({ maxBatchSize: 2 }, async function* (items) {
      yield items;
      throw new RangeError('mid-way');
    });
    const read = async (n: number): Promise<unknown> => {
      const seen: unknown[] = [];
      try {
        for await (const value of fn(n)) seen.push(value);
      } catch (error) {
        seen.push((error as Error).message);
      }
      return seen;
    };
    expect(await Promise.all([read(1), read(2)])).toEqual([
      [1, 'mid-way'],
      [2, 'mid-way'],
    ]);
  });

  test('a reader that lags far behind stops the generator instead of filling memory, until it reads on or leaves', async () => {
    let [yielded, isClosed] = [0, false];
    const fn = batch<string, number>({ maxBatchSize: 2 }, async function* (items) {
      try {
        for (;;) {
          yield items.map(() => yielded++);
          if (yielded % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        isClosed = true;
      }
    });
    const [slow, fast] = [fn('slow'), fn('fast')].map((stream) => stream[Symbol.asyncIterator]());
    let read = 0;
    const reading = (async () => {
      for (let next = await fast?.next(); next?.done !== true; next = await fast?.next()) read++;
    })();
    const stopsAt = async (count: number): Promise<void> => {
      await eventually(() => read === count);
      for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(read).toBe(count);
    };
    await stopsAt(1_024);
    // What is read is told in groups of 16.
    for (let n = 0; n < 100; n++) await slow?.next();
    await stopsAt(1_024 + 96);
    await slow?.return?.();
    await eventually(() => read >= 5_000);
    await fast?.return?.();
    await reading;
    await eventually(() => isClosed);
  });

  test('47: two batched functions have queues of their own', async () => {
    const a = doubling({ maxBatchSize: 2 });
    const b = doubling({ maxBatchSize: 2 });
    await Promise.all([a.double(1), b.double(1), a.double(2), b.double(2)]);
    expect([a.sizes, b.sizes]).toEqual([[2], [2]]);
  });

  test('48: no more batches at a time than allowed', async () => {
    let running = 0;
    let peak = 0;
    const fn = batch<number, number>({ maxBatchSize: 1, maxConcurrentBatches: 2 }, async (items) => {
      peak = Math.max(peak, ++running);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running--;
      return items;
    });
    await Promise.all([1, 2, 3, 4, 5].map((n) => fn(n)));
    expect(peak).toBe(2);
  });

  test('49: weights fill a batch; an item that is too heavy fails alone', async () => {
    const batches: string[][] = [];
    const fn = batch<string, number>(
      { maxBatchSize: 10, batchWaitTimeoutMs: 1, sizeOf: (text) => text.length },
      async (texts) => {
        batches.push(texts);
        return texts.map((text) => text.length);
      },
    );
    const outcomes = await settle(['aaaa', 'bbbb', 'cccc', 'x'.repeat(11), 'd'].map((text) => fn(text)));
    expect(outcomes[3]).toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    expect(batches).toEqual([
      ['aaaa', 'bbbb'],
      ['cccc', 'd'],
    ]);
  });

  test('one item can fail alone', async () => {
    const fn = batch<number, number>({ maxBatchSize: 3 }, async (numbers) =>
      numbers.map((n) => (n === 2 ? batchError(new RangeError('two')) : n)),
    );
    expect(await settle([fn(1), fn(2), fn(3)])).toEqual([1, new RangeError('two'), 3]);
  });

  test.each([1, 2, 3, 4, 5, 6, 7, 8, 13, 16, 33, 64])(
    'bisecting %i items finds the poison in at most 2·log2(n) runs more',
    async (size) => {
      for (let poison = 0; poison < size; poison++) {
        let runs = 0;
        const fn = batch<number, number>({ maxBatchSize: size, bisectOnError: true }, async (numbers) => {
          runs++;
          if (numbers.includes(poison)) throw new RangeError('poison');
          return numbers;
        });
        const outcomes = await settle(Array.from({ length: size }, (_, n) => fn(n)));
        expect(outcomes).toEqual(
          Array.from({ length: size }, (_, n) => (n === poison ? new RangeError('poison') : n)),
        );
        expect(runs - 1).toBeLessThanOrEqual(2 * Math.log2(size));
      }
    },
  );

  test('no caller ever gets the result of another, whatever happens to its batch', async () => {
    const options = fc.record({
      maxBatchSize: fc.integer({ min: 1, max: 9 }),
      batchWaitTimeoutMs: fc.constantFrom(0, 1),
      maxConcurrentBatches: fc.integer({ min: 1, max: 3 }),
      mode: fc.constantFrom('fixed' as const, 'adaptive' as const),
      bisectOnError: fc.boolean(),
    });
    const fates = fc.array(fc.constantFrom('ok', 'ok', 'ok', 'throw', 'item error'), {
      minLength: 1,
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(options, fates, async (chosen, items) => {
        const fn = batch<[number, string], string>(chosen, async (batchOf) => {
          await new Promise((resolve) => setImmediate(resolve));
          if (batchOf.some(([, fate]) => fate === 'throw')) throw new Error('whole batch');
          return batchOf.map(([n, fate]) =>
            fate === 'item error' ? batchError(new Error(`item ${n}`)) : `result ${n}`,
          );
        });
        const outcomes = await settle(items.map((fate, n) => fn([n, fate])));
        for (const [n, outcome] of outcomes.entries()) {
          if (typeof outcome === 'string') expect(outcome).toBe(`result ${n}`);
          else expect([`item ${n}`, 'whole batch']).toContain((outcome as Error).message);
          if (items[n] === 'throw') expect((outcome as Error).message).toBe('whole batch');
          if (chosen.bisectOnError && items[n] === 'ok') expect(outcome).toBe(`result ${n}`);
        }
      }),
      { numRuns: 60 },
    );
  });
});
