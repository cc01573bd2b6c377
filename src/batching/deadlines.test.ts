import { expect, test } from 'vitest';
import { inVirtualTime, type VirtualTime } from '../../sim/engine/virtual-time.ts';
import type { InboundCall } from '../channel/inbound-call.ts';
import { callScope } from '../handle/call/scope.ts';
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
function slowly(time: VirtualTime, options: Parameters<typeof batch>[0]) {
  const seen: string[][] = [];
  const run = batch<string, string>(options as object, async (items) => {
    seen.push(items);
    await time.sleep(30);
    return items;
  });
  return { seen, run };
}

/** Lets the time pass until it is over. */
async function over<T>(time: VirtualTime, work: Promise<T>): Promise<T> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  work.then(end, end);
  while (!isOver) await time.advanceTo(time.now() + 1);
  return await work;
}

test('an item that cannot make it is dropped before its batch starts; its neighbours go on', () =>
  inVirtualTime(1, async (time) => {
    const { seen, run } = slowly(time, { maxBatchSize: 4, batchWaitTimeoutMs: 1 });
    for (const warmUp of ['1', '2', '3', '4']) await over(time, run(warmUp));
    const unresponsive = within(8, () => run('unresponsive'));
    const neighbours = [within(5_000, () => run('in time')), within(0, () => run('whenever'))];
    await expect(over(time, unresponsive)).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    expect(await over(time, Promise.all(neighbours))).toEqual(['in time', 'whenever']);
    expect(seen.slice(4)).toEqual([['in time', 'whenever']]);
  }));

test('the tightest member shortens the wait for all, as long as nothing is known and later', () =>
  inVirtualTime(1, async (time) => {
    const { seen, run } = slowly(time, { maxBatchSize: 10, batchWaitTimeoutMs: 60_000 });
    for (let round = 0; round < 6; round++) {
      const started = time.now();
      const both = [within(0, () => run('whenever')), within(400, () => run('tight'))];
      expect(await over(time, Promise.all(both))).toHaveLength(2);
      expect(time.now() - started).toBeLessThan(400);
    }
    expect(seen).toEqual(new Array(6).fill(['whenever', 'tight']));
  }));
