import { expect, test } from 'vitest';
import { callScope } from '../handle/scope.ts';
import type { InboundCall } from '../pool/inbound-call.ts';
import { RunningCall } from '../replica/running-call.ts';
import { now } from '../time/clock.ts';
import { batch } from './batch.ts';

/** Calls a batched function as a call does that must be over in so many ms; 0 = whenever. */
function within<R>(leftMs: number, call: () => R): R {
  const deadline = leftMs === 0 ? 0 : now() + leftMs;
  const inbound = { callerName: 'test', number: 1, method: 0, deadline, args: [], meta: undefined };
  const identity = { app: 'app', deployment: 'Model', replicaId: 'Model#1', rank: 0, gpus: [] };
  return callScope.run(new RunningCall(inbound as unknown as InboundCall, identity), call);
}

/** Takes 30 ms, whatever the batch, and notes what was in it. */
function slowly(options: Parameters<typeof batch>[0]) {
  const seen: string[][] = [];
  const run = batch<string, string>(options as object, async (items) => {
    seen.push(items);
    await new Promise((resolve) => setTimeout(resolve, 30));
    return items;
  });
  return { seen, run };
}

test('an item that cannot make it is dropped before its batch starts; its neighbours go on', async () => {
  const { seen, run } = slowly({ maxBatchSize: 4, batchWaitTimeoutMs: 1 });
  for (const warmUp of ['1', '2', '3', '4']) await run(warmUp);
  const hopeless = within(8, () => run('hopeless'));
  const neighbours = [within(5_000, () => run('in time')), within(0, () => run('whenever'))];
  await expect(hopeless).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
  expect(await Promise.all(neighbours)).toEqual(['in time', 'whenever']);
  expect(seen.slice(4)).toEqual([['in time', 'whenever']]);
});

test('the tightest member shortens the wait for all, as long as nothing is known and later', async () => {
  const { seen, run } = slowly({ maxBatchSize: 10, batchWaitTimeoutMs: 60_000 });
  for (let round = 0; round < 6; round++) {
    const started = now();
    expect(
      await Promise.all([within(0, () => run('whenever')), within(400, () => run('tight'))]),
    ).toHaveLength(2);
    expect(now() - started).toBeLessThan(400);
  }
  expect(seen).toEqual(new Array(6).fill(['whenever', 'tight']));
});
