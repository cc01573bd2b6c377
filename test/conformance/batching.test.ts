import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeploymentHandle, ServeError } from '../../src/index.ts';
import { type Batches, batches, COUNTED, models } from '../fixtures/batching/batches.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { eventually, status } from '../support/until.ts';

/** Runs a test on one replica of `Batches`. */
async function withBatches(
  run: (handle: DeploymentHandle<typeof Batches>, shared: Shared) => Promise<void>,
): Promise<void> {
  await using serve = quietServe();
  const shared = new Shared();
  await run(await serve.run(batches.bind(shared.buffer)), shared);
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** 46 is in test/integration/batching/batching.test.ts. */
describe('batch', () => {
  test('42: five calls make one run of five; the sixth waits, then goes alone', async () => {
    await withBatches(async (handle) => {
      const ran = await Promise.all(numbers(6).map((n) => handle.five.remote(n)));
      expect(ran).toEqual([...new Array(5).fill({ run: 1, size: 5 }), { run: 2, size: 1 }]);
    });
  });

  test('43: an error, or too few results, fails the callers of that batch only', async () => {
    await withBatches(async (handle) => {
      const outcomes = await Promise.allSettled(
        ['throw', 'a', 'short', 'b', 'c', 'd'].map((word) => handle.obeying.remote(word)),
      );
      const short = { message: expect.stringContaining('2 items came in, a list of 1 out') };
      expect(outcomes).toMatchObject([
        { reason: { name: 'RangeError', message: 'told to' } },
        { reason: { name: 'RangeError', message: 'told to' } },
        { reason: short },
        { reason: short },
        { value: 'c' },
        { value: 'd' },
      ]);
    });
  });

  test('44: another batch size holds from the next batch on', async () => {
    await withBatches(async (handle) => {
      await handle.resize.remote(2);
      const ran = await Promise.all(numbers(4).map((n) => handle.five.remote(n)));
      expect(ran.map(({ size }) => size)).toEqual([2, 2, 2, 2]);
    });
  });

  test('45: streams of one batch end at different lengths', async () => {
    await withBatches(async (handle) => {
      const read = (length: number) => Array.fromAsync(handle.counting.remote(length));
      expect(await Promise.all([read(1), read(3), read(2)])).toEqual([[0], [0, 1, 2], [0, 1]]);
    });
  });

  test('47: two batched methods, and two replicas, have queues of their own', async () => {
    await using serve = quietServe();
    const handle = await serve.run(batches.options({ numReplicas: 2 }).bind(new Shared().buffer));
    await status(serve, 'Batches', 'Batches', 'HEALTHY');
    const [others, fives] = await Promise.all([handle.broadcast('other', 1), handle.broadcast('five', 1)]);
    for (const { size } of [...others, ...fives]) expect(size).toBe(1);
  });

  test('48: no more batches run at a time than allowed', async () => {
    await withBatches(async (handle, shared) => {
      await Promise.all(numbers(12).map((n) => handle.pairs.remote(n)));
      expect(shared.get(COUNTED.peak)).toBe(2);
    });
  });

  test('49: by weight no batch exceeds the limit; an item that is too heavy fails alone', async () => {
    await withBatches(async (handle) => {
      const outcomes = await Promise.allSettled([6, 4, 7, 11, 3].map((n) => handle.weighed.remote(n)));
      expect(outcomes).toMatchObject([
        { value: 10 },
        { value: 10 },
        { value: 10 },
        { reason: { code: 'SERVE_INVALID_OPTION' } },
        { value: 10 },
      ]);
    });
  });

  test('nobody gets what is not his: under cancel, timeout, error and bisect, over threads', async () => {
    await using serve = quietServe();
    const handle = await serve.run(batches.options({ numReplicas: 2 }).bind(new Shared().buffer));
    await status(serve, 'Batches', 'Batches', 'HEALTHY');
    const fates = fc.array(
      fc.record({
        fate: fc.constantFrom('stay', 'stay', 'stay', 'cancel now', 'cancel soon', 'timeout', 'poison'),
        tenant: fc.constantFrom(undefined, 'a', 'b'),
      }),
      { minLength: 20, maxLength: 80 },
    );
    let nonce = 0;
    await fc.assert(
      fc.asyncProperty(fates, async (script) => {
        const outcomes = script.map(async ({ fate, tenant }) => {
          const item = { nonce: ++nonce, word: fate };
          const call = handle
            .options({ tenant, timeoutMs: fate === 'timeout' ? 3 : undefined })
            .echo.remote(item);
          if (fate === 'cancel now') call.cancel();
          if (fate === 'cancel soon') setTimeout(() => call.cancel(), 2);
          const outcome = await call.catch((error: ServeError) => error.code ?? error.message);
          if (fate === 'poison') expect(outcome).toBe('poison');
          else if (fate === 'stay') expect(outcome).toBe(item.nonce);
          else expect([item.nonce, 'SERVE_CANCELLED', 'SERVE_TIMEOUT']).toContain(outcome);
        });
        await Promise.all(outcomes);
      }),
      { numRuns: 12, seed: 3 },
    );
    const report = () => serve.status().apps['Batches']?.deployments['Batches'];
    await eventually(() => report()?.replicas.every(({ ongoing }) => ongoing === 0) ?? false);
  });
});

describe('multiplexed', () => {
  test('50: with room for two, ids 1 2 1 3 leave 1 and 3; 2 was disposed of before 3 was loaded', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(models.bind(shared.buffer));
    const use = async (id: string) => await handle.options({ multiplexedModelId: id }).use.remote();
    for (const id of ['1', '2', '1']) expect((await use(id)).id).toBe(id);
    expect(await use('3')).toMatchObject({ id: '3', disposedBefore: 1 });
    await use('1');
    expect([shared.get(COUNTED.loads), shared.get(COUNTED.disposed)]).toEqual([3, 1]);
    await use('2');
    expect(shared.get(COUNTED.loads)).toBe(4);
  });

  test('51: one id goes to one replica, with one load; when that is busy another one loads it', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { numReplicas: 3, maxOngoingRequests: 1 };
    const handle = await serve.run(models.options(options).bind(shared.buffer));
    await status(serve, 'Models', 'Models', 'HEALTHY');
    const model = handle.options({ multiplexedModelId: 'm' });
    const places = new Set<string>();
    for (let n = 0; n < 10; n++) places.add((await model.use.remote()).replica);
    expect([places.size, shared.get(COUNTED.loads)]).toEqual([1, 1]);
    const busy = model.hold.remote();
    await shared.atLeast(COUNTED.running, 1);
    const { replica } = await model.use.remote();
    expect(places.has(replica)).toBe(false);
    expect(shared.get(COUNTED.loads)).toBe(2);
    shared.set(COUNTED.gate, 1);
    expect(places.has(await busy)).toBe(true);
  });

  test('52: calls at the same time share one load; one that fails is not remembered', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(models.bind(shared.buffer));
    const use = (id: string) => handle.options({ multiplexedModelId: id }).use.remote();
    await Promise.all(numbers(8).map(() => use('m')));
    expect(shared.get(COUNTED.loads)).toBe(1);
    const failures = await Promise.allSettled(numbers(3).map(() => use('bad')));
    expect(failures).toMatchObject(new Array(3).fill({ reason: { name: 'RangeError', message: 'no bad' } }));
    expect(shared.get(COUNTED.loads)).toBe(2);
    await expect(use('bad')).rejects.toThrow('no bad');
    expect(shared.get(COUNTED.loads)).toBe(3);
    // Nor does it take a place.
    expect((await use('m')).disposedBefore).toBe(0);
    expect(shared.get(COUNTED.disposed)).toBe(0);
  });

  test('more models at a time than fit are loaded one after the other, and nobody waits for ever', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(models.bind(shared.buffer));
    const ids = numbers(12).map((n) => `m${n % 6}`);
    const used = await Promise.all(ids.map((id) => handle.options({ multiplexedModelId: id }).use.remote()));
    expect(used.map(({ id }) => id)).toEqual(ids);
    // A call that comes late may find its model disposed of already.
    expect(shared.get(COUNTED.loads)).toBeGreaterThanOrEqual(6);
    expect(shared.get(COUNTED.disposed)).toBe(shared.get(COUNTED.loads) - 2);
  });
});
