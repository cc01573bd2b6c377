import { expect, test } from 'vitest';
import { collected } from '../../../test/support/garbage.ts';
import { Records } from '../../../test/support/quiet.ts';
import type { ManagedReplica } from '../../isolation/managed-replica.ts';
import { Events } from '../../observe/events.ts';
import { MemoryGrowthGuard } from './memory-growth-guard.ts';

test('a watch that was stopped holds no replica, also one that it was looking at', async () => {
  const looking = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<number>();
  let replicas = [
    {
      state: 'RUNNING',
      isUnfit: false,
      memory: () => {
        looking.resolve();
        return answer.promise;
      },
    },
  ] as unknown as ManagedReplica[];
  const ref = new WeakRef(replicas[0] as object);
  const log = new Records();
  const watch = new MemoryGrowthGuard({ sampleMs: 10 }, 1, () => replicas, new Events(() => {}), log);
  watch.start();
  await looking.promise;
  watch.close();
  replicas = [];
  answer.resolve(1_000);
  await collected(ref);
  expect(log.records).toEqual([]);
  watch.close();
});
