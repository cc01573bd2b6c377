import { expect, test } from 'vitest';
import { openRedis } from '../../../src/cluster/redis/client.ts';
import { RedisFleetStore } from '../../../src/cluster/redis/redis-store.ts';
import { beatOf, bytes, joinOf } from '../../support/fleet/fleet-store-suite.ts';
import { describeWithRedis } from '../../support/fleet/redis-server.ts';
import { freshKeys, MAJORS } from '../../support/fleet/redis-store-suite.ts';
import { RedisSentinel } from '../../support/fleet/redis-topologies.ts';

/** Time limit of servers that agree on a failover, in ms, on a busy machine. */
const LIMIT_MS = 120_000;

describeWithRedis('a primary that dies', () => {
  test.each(['5', '6'] as const)(
    'is replaced by the one that Sentinel names, for commands and announcements, by ioredis %s',
    async (major) => {
      await using servers = await RedisSentinel.start();
      const client = await openRedis({ options: servers.options }, MAJORS[major]);
      const store = new RedisFleetStore(client, freshKeys());
      const hints: number[] = [];
      store.onHint(({ number }) => hints.push(number));
      await store.join(joinOf('a'));

      await servers.primary.stop();
      const failure = await store.beat(beatOf('a')).catch((error) => error);
      expect(failure).toMatchObject({ name: 'FleetStoreError' });
      // The record may not have reached the replica: then the instance joins anew.
      const isBack = async (): Promise<boolean> => {
        try {
          const { isGone } = await store.beat(beatOf('a'));
          if (isGone) await store.join(joinOf('a'));
          return !isGone;
        } catch {
          return false;
        }
      };
      await expect.poll(isBack, { timeout: LIMIT_MS, interval: 100 }).toBe(true);
      let generation = 0;
      const announced = async (): Promise<boolean> => {
        const expected = generation++;
        await store.override({ expected, generation, value: bytes('o'), ttlMs: 60_000 });
        return hints.length > 0;
      };
      await expect.poll(announced, { timeout: LIMIT_MS, interval: 100 }).toBe(true);
      client.close();
    },
    2 * LIMIT_MS,
  );
});
