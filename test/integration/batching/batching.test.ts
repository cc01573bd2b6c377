import { describe, expect, test } from 'vitest';
import type { ServeError } from '../../../src/index.ts';
import { batches, sender } from '../../fixtures/batching/batches.ts';
import { batcher, hub, SEEN } from '../../fixtures/batching/batching.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { eventually } from '../../support/until.ts';

const codeOf = (error: ServeError): string => error.code;

describe('batching in a replica', () => {
  test('calls of many callers run together, and each gets its own', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(batcher.bind(shared.buffer));
    const results = await Promise.allSettled([1, 2, 13, 4, 5, 6, 7, 8].map((n) => handle.double.remote(n)));
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason))).toEqual([
      2,
      4,
      new RangeError('thirteen'),
      8,
      10,
      12,
      14,
      16,
    ]);
    expect([shared.get(SEEN.batches), shared.get(SEEN.items)]).toEqual([2, 8]);
    await eventually(async () =>
      (await serve.metrics()).includes(
        'serve_batch_size_count{app="Batcher",deployment="Batcher",function="double"} 2',
      ),
    );
    expect(await serve.metrics()).toContain(
      'serve_batch_size_sum{app="Batcher",deployment="Batcher",function="double"} 8',
    );
  });

  test('a response tells how many shared its batch', async () => {
    await using serve = quietServe();
    const handle = await serve.run(batcher.bind(new Shared().buffer));
    const calls = [1, 2, 3, 4, 5].map((n) => handle.double.remote(n));
    await Promise.all(calls);
    expect(calls.map((call) => call.explain().batchSize)).toEqual([4, 4, 4, 4, 1]);
    const plain = serve.handle(hub.bind(new Shared().buffer)).options({ multiplexedModelId: 'a' });
    const call = plain.predict.remote();
    await call;
    expect(call.explain().batchSize).toBeUndefined();
  });

  test('a replica that takes fewer calls than its batches hold is warned of, once', async () => {
    await using serve = quietServe();
    const advice = (): string[] =>
      serve.log.records.filter(({ level }) => level === 'warn').map(({ message }) => message);
    const options = { maxOngoingRequests: 4, numReplicas: 2 };
    const handle = await serve.run(batcher.options(options).bind(new Shared().buffer));
    await Promise.all(await handle.broadcast('double', 1));
    await eventually(() => advice().length > 0);
    expect(advice()).toEqual([
      'Batcher.who: batches will not fill up: maxOngoingRequests is 4, less than maxBatchSize × ' +
        'maxConcurrentBatches (8 × 1 = 8)',
    ]);
  });

  test('batches of inline replicas are counted as their own, on the host and in another deployment', async () => {
    await using serve = quietServe();
    const inline = batches.options({ isolation: 'inline', name: 'Inline' }).bind(new Shared().buffer);
    const handle = await serve.run(sender.bind(inline));
    await handle.send.remote();
    const own = serve.handle(inline);
    await Promise.all([1, 2, 3, 4, 5].map((n) => own.five.remote(n)));
    const count = 'serve_batch_size_count{app="Sender",deployment="Inline",function="five"} 2';
    await eventually(async () => (await serve.metrics()).includes(count));
    expect(await serve.metrics()).not.toMatch(/serve_batch_size_count\{[^}]*deployment="Sender"/);
  });

  test('a batch that is bisected though its items may not run twice is warned of', async () => {
    await using serve = quietServe();
    const warnings = () => serve.log.records.filter(({ level }) => level === 'warn');
    await serve.run(batches.options({ idempotent: false }).bind(new Shared().buffer));
    await eventually(() => warnings().length > 0);
    expect(warnings().map(({ message }) => message)).toEqual([
      "Batches.echo: bisectOnError may run an item twice: declare that this is safe with idempotent: ['echo']",
    ]);
    const quiet = await serve.run(batches.bind(new Shared().buffer), { name: 'quiet', routePrefix: null });
    await quiet.five.remote(1);
    expect(warnings()).toHaveLength(1);
  });

  test('a batch knows its callers, and never mixes tenants', async () => {
    await using serve = quietServe();
    const handle = await serve.run(batcher.bind(new Shared().buffer));
    const [a, b] = [handle.options({ tenant: 'a' }), handle.options({ tenant: 'b' })];
    const calls = [a.who.remote(1), b.who.remote(2), a.who.remote(3), b.who.remote(4)];
    const [first, second, third, fourth] = await Promise.all(calls);
    expect(first).toEqual({ ids: [calls[0]?.requestId, calls[2]?.requestId], tenant: 'a', items: 2 });
    expect(third).toEqual(first);
    expect(second).toEqual({ ids: [calls[1]?.requestId, calls[3]?.requestId], tenant: 'b', items: 2 });
    expect(fourth).toEqual(second);
  });

  test('46: who left before the batch is not in it; when all left, its signal fires', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(batcher.bind(shared.buffer));
    const calls = [1, 2, 3].map((n) => handle.wait.remote(n));
    calls[1]?.cancel();
    await shared.atLeast(SEEN.started, 2);
    expect(shared.get(SEEN.started)).toBe(2);
    calls[0]?.cancel();
    expect(await calls[0]?.catch(codeOf)).toBe('SERVE_CANCELLED');
    expect(shared.get(SEEN.aborted)).toBe(0);
    calls[2]?.cancel();
    await shared.atLeast(SEEN.aborted, 1);
    for (const call of calls) expect(await call.catch(codeOf)).toBe('SERVE_CANCELLED');
    await eventually(
      () => serve.status().apps['Batcher']?.deployments['Batcher']?.replicas[0]?.ongoing === 0,
    );
  });

  test('a batched generator streams to each caller', async () => {
    await using serve = quietServe();
    const handle = await serve.run(batcher.bind(new Shared().buffer));
    const read = (word: string): Promise<string[]> => Array.fromAsync(handle.letters.remote(word));
    expect(await Promise.all([read('abc'), read('xyz')])).toEqual([
      ['a', 'b', 'c'],
      ['x', 'y', 'z'],
    ]);
  });
});

describe('multiplexing in a replica', () => {
  test('the model of the call is loaded once, and kept', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(hub.bind(shared.buffer));
    for (const id of ['m1', 'm2', 'm1', 'm3', 'm1']) {
      expect(await handle.options({ multiplexedModelId: id }).predict.remote()).toMatchObject({
        model: id,
        asked: id,
      });
    }
    expect([shared.get(SEEN.batches), shared.get(SEEN.aborted)]).toEqual([3, 1]);
    await expect(handle.predict.remote()).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    const untyped = handle as unknown as { getModel: { remote(id: string): Promise<unknown> } };
    await expect(untyped.getModel.remote('m1')).rejects.toMatchObject({ code: 'SERVE_UNKNOWN_METHOD' });
  });
});
