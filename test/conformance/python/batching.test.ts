import { describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { type Batches, batches, models } from '../../fixtures/python/conformance.ts';
import { EventLog } from '../../fixtures/python/event-log.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually, status } from '../../support/until.ts';

/** Runs a test on one replica of `Batches`. */
async function withBatches(
  run: (handle: DeploymentHandle<Batches>, log: EventLog, ongoing: () => number) => Promise<void>,
): Promise<void> {
  await using serve = quietServe();
  const log = new EventLog();
  const handle = await serve.run(batches.bind(log.path));
  await run(
    handle as DeploymentHandle<Batches>,
    log,
    () => serve.status().apps['Batches']?.deployments['Batches']?.replicas[0]?.ongoing ?? 0,
  );
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

/** Ray Serve's behaviours 42–52, with Python replicas. */
describe.skipIf(!HAS_PYTHON)('batches in Python (skipped without Python 3.9 or newer)', () => {
  test('42: five calls make one run of five; the sixth waits, then goes alone', () =>
    withBatches(async (handle) => {
      const ran = await Promise.all(numbers(6).map((n) => handle.five.remote(n)));
      expect(ran).toEqual([...new Array(5).fill({ run: 1, size: 5 }), { run: 2, size: 1 }]);
    }));

  test('43: an error, or too few results, fails the callers of that batch only', () =>
    withBatches(async (handle) => {
      const outcomes = await Promise.allSettled(
        ['throw', 'a', 'short', 'b', 'c', 'd'].map((word) => handle.obeying.remote(word)),
      );
      const short = { message: expect.stringContaining('2 items came in, 1 out') };
      expect(outcomes).toMatchObject([
        { reason: { name: 'LookupError', message: 'told to' } },
        { reason: { name: 'LookupError', message: 'told to' } },
        { reason: short },
        { reason: short },
        { value: 'c' },
        { value: 'd' },
      ]);
    }));

  test('44: another batch size holds from the next batch on', () =>
    withBatches(async (handle) => {
      await handle.resize.remote(2);
      const ran = await Promise.all(numbers(4).map((n) => handle.five.remote(n)));
      expect(ran.map(({ size }) => size)).toEqual([2, 2, 2, 2]);
    }));

  test('45: streams of one batch end at different lengths', () =>
    withBatches(async (handle) => {
      const read = (length: number) => Array.fromAsync(handle.counting.remote(length));
      expect(await Promise.all([read(1), read(3), read(2)])).toEqual([[0], [0, 1, 2], [0, 1]]);
    }));

  test('46: an item that is cancelled before its batch begins is not in it; without items nothing runs', () =>
    withBatches(async (handle, log, ongoing) => {
      const gone = [1, 2].map((n) => handle.waiting.remote(n));
      for (const call of gone) call.cancel();
      for (const call of gone) await expect(call).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
      const calls = [3, 4, 5].map((n) => handle.waiting.remote(n));
      calls[1]?.cancel();
      await log.until('batch 3 5');
      log.add('gate');
      const outcomes = await Promise.allSettled(calls);
      expect(outcomes).toMatchObject([{ value: 3 }, { reason: { code: 'SERVE_CANCELLED' } }, { value: 5 }]);
      await eventually(() => ongoing() === 0);
      expect(log.events.filter((event) => event.startsWith('batch'))).toEqual(['batch 3 5']);
    }));

  test('47: two batched methods, and two replicas, have queues of their own', async () => {
    await using serve = quietServe();
    const handle = await serve.run(batches.options({ numReplicas: 2 }).bind(new EventLog().path));
    await status(serve, 'Batches', 'Batches', 'HEALTHY');
    const [others, fives] = await Promise.all([handle.broadcast('other', 1), handle.broadcast('five', 1)]);
    for (const { size } of [...others, ...fives]) expect(size).toBe(1);
  });

  test('48: no more batches run at a time than allowed', () =>
    withBatches(async (handle) => {
      await Promise.all(numbers(12).map((n) => handle.pairs.remote(n)));
      expect(await handle.most.remote()).toBe(2);
    }));

  test('49: by weight no batch exceeds the limit; an item that is too heavy fails alone', () =>
    withBatches(async (handle) => {
      const outcomes = await Promise.allSettled([6, 4, 7, 11, 3].map((n) => handle.weighed.remote(n)));
      expect(outcomes).toMatchObject([
        { value: 10 },
        { value: 10 },
        { value: 10 },
        { reason: { code: 'SERVE_INVALID_OPTION' } },
        { value: 10 },
      ]);
    }));
});

describe.skipIf(!HAS_PYTHON)('models in Python (skipped without Python 3.9 or newer)', () => {
  test('50: with room for two, ids 1 2 1 3 leave 1 and 3; 2 was disposed of before 3 was loaded', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const handle = await serve.run(models.bind(log.path));
    const use = async (id: string) => await handle.options({ multiplexedModelId: id }).use.remote();
    for (const id of ['1', '2', '1']) expect((await use(id)).id).toBe(id);
    expect(await use('3')).toMatchObject({ id: '3', disposedBefore: 1 });
    await use('1');
    expect([log.count('load'), log.count('disposed')]).toEqual([3, 1]);
    await use('2');
    expect(log.count('load')).toBe(4);
  });

  test('51: one id goes to one replica, with one load; when that is busy another one loads it', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const handle = await serve.run(models.options({ numReplicas: 3, maxOngoingRequests: 1 }).bind(log.path));
    await status(serve, 'Models', 'Models', 'HEALTHY');
    const model = handle.options({ multiplexedModelId: 'm' });
    const places = new Set<string>();
    for (let n = 0; n < 10; n++) places.add((await model.use.remote()).replica);
    expect([places.size, log.count('load')]).toEqual([1, 1]);
    const busy = model.hold.remote();
    await log.until('running');
    const { replica } = await model.use.remote();
    expect(places.has(replica)).toBe(false);
    expect(log.count('load')).toBe(2);
    log.add('gate');
    expect(places.has(await busy)).toBe(true);
  });

  test('52: calls at the same time share one load; one that fails is not remembered', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const handle = await serve.run(models.bind(log.path));
    const use = (id: string) => handle.options({ multiplexedModelId: id }).use.remote();
    await Promise.all(numbers(8).map(() => use('m')));
    expect(log.count('load')).toBe(1);
    await expect(use('bad')).rejects.toMatchObject({ name: 'LookupError', message: 'no bad' });
    await expect(use('bad')).rejects.toThrow('no bad');
    expect(log.count('load')).toBe(3);
    expect((await use('m')).disposedBefore).toBe(0);
    expect(log.count('disposed')).toBe(0);
  });
});
