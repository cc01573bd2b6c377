import { spawnSync } from 'node:child_process';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRedis } from '../../../src/cluster/redis/client.ts';
import { evictionAdvice } from '../../../src/cluster/redis/eviction.ts';
import { FleetKeys } from '../../../src/cluster/redis/keys.ts';
import { RedisFleetStore } from '../../../src/cluster/redis/redis-store.ts';
import { documentedRules } from '../../support/fleet/documented-acl.ts';
import { beatOf, bytes, type FreshStore, joinOf, NOTHING } from '../../support/fleet/fleet-store-suite.ts';
import { describeWithRedis, RedisServer } from '../../support/fleet/redis-server.ts';
import { freshKeys, MAJORS } from '../../support/fleet/redis-store-suite.ts';
import { adminOf } from '../../support/fleet/redis-topologies.ts';

/** Time limit where servers start, on a busy machine. */
const START_MS = 180_000;

interface OpenStore extends FreshStore {
  readonly keys: FleetKeys;
}

describe.each(['5', '6'] as const)('by ioredis %s', (major) => {
  async function open(url: string, keys: FleetKeys = freshKeys()): Promise<OpenStore> {
    const client = await openRedis(url, MAJORS[major]);
    return {
      keys,
      store: new RedisFleetStore(client, keys),
      async [Symbol.asyncDispose]() {
        client.close();
      },
    };
  }

  describeWithRedis('a store on Redis', () => {
    let server: RedisServer;

    beforeAll(async () => {
      server = await RedisServer.start();
    }, START_MS);

    afterAll(() => server[Symbol.asyncDispose]());

    test('works for a user who may do what the documentation says, in the fleet of that name only', async () => {
      await using made = adminOf(server.adminUrl);
      const keys = new FleetKeys('narrow');
      await made.redis.call('ACL', 'SETUSER', 'narrow', 'on', '>word', ...documentedRules('narrow'));
      const url = `redis://narrow:word@127.0.0.1:${server.port}`;
      await using own = await open(url, keys);
      await own.store.join(joinOf('a'));
      const lease = await own.store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 });
      const plan = { owner: 'a#1', token: lease?.token ?? 0, expected: 0, number: 1 };
      const written = await own.store.plan({ ...plan, pages: [bytes('p')], ttlMs: 1_000 });
      expect(written).toEqual({ isAccepted: true });
      expect((await own.store.beat(beatOf('a'))).planNumber).toBe(1);
      await using foreign = await open(url, new FleetKeys('other'));
      await expect(foreign.store.join(joinOf('a'))).rejects.toMatchObject({ failure: 'no-permission' });
    });

    test('a beat is one operation for Redis', async () => {
      await using made = await open(server.url);
      await using watcher = adminOf(server.adminUrl);
      await made.store.join(joinOf('a'));
      await made.store.beat(beatOf('a'));
      const before = await scriptsRun(watcher.redis);
      for (let beat = 0; beat < 10; beat++) await made.store.beat(beatOf('a'));
      expect((await scriptsRun(watcher.redis)) - before).toBe(10);
    });

    test('goes on after Redis has forgotten its scripts', async () => {
      await using made = await open(server.url);
      await using other = adminOf(server.adminUrl);
      await made.store.join(joinOf('a'));
      await other.redis.script('FLUSH');
      expect((await made.store.beat(beatOf('a'))).isGone).toBe(false);
    });

    test('says what is wrong with a key of another type', async () => {
      await using made = await open(server.url);
      await using other = adminOf(server.adminUrl);
      await other.redis.set(made.keys.members, 'text');
      await expect(made.store.join(joinOf('a'))).rejects.toMatchObject({ failure: 'wrong-type' });
    });

    test('finds out whether its keys may be evicted, with the rights of a member', async () => {
      await using other = adminOf(server.adminUrl);
      const client = await openRedis(server.url, MAJORS[major]);
      const advice = (): Promise<string | undefined> => evictionAdvice(client, freshKeys());
      expect(await advice()).toBeUndefined();
      await other.redis.config('SET', 'maxmemory-policy', 'volatile-lru');
      expect(await advice()).toMatch(/volatile-lru.*maxmemory-policy noeviction/);
      await other.redis.call('ACL', 'SETUSER', 'member', '-info');
      // A client that is connected keeps its connection, and must not ask any more.
      expect(await advice()).toBeUndefined();
      await other.redis.call('ACL', 'SETUSER', 'member', '+info');
      await other.redis.config('SET', 'maxmemory-policy', 'noeviction');
      client.close();
    });
  });

  describeWithRedis('a Redis that fails', () => {
    test('out of memory: heartbeats and the renewal of the lease work, joins and claims fail', async () => {
      await using server = await RedisServer.start('--maxmemory-policy', 'noeviction');
      await using made = await open(server.url);
      await using other = adminOf(server.adminUrl);
      await made.store.join(joinOf('a'));
      const lease = await made.store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 });
      // Less than an empty Redis uses, or its size would decide.
      await other.redis.config('SET', 'maxmemory', '1');
      const beat = await made.store.beat(beatOf('a', { lease }));
      expect([beat.isGone, beat.lease]).toEqual([false, lease]);
      expect(await made.store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 })).toEqual(lease);
      await expect(made.store.join(joinOf('b'))).rejects.toMatchObject({ failure: 'out-of-memory' });
      const claim = { owner: 'b#1', ttlMs: 15_000, floor: (lease?.token ?? 0) + 1 };
      await expect(made.store.lease(claim)).rejects.toMatchObject({ failure: 'out-of-memory' });
    });

    test('a replica, or one that needs a password: the error says which', async () => {
      await using server = await RedisServer.start();
      await using made = await open(server.url);
      await using other = adminOf(server.adminUrl);
      for (const credentials of ['', 'member:wrong@']) {
        await using refused = await open(`redis://${credentials}127.0.0.1:${server.port}`);
        const beat = refused.store.beat(beatOf('a'));
        await expect(beat).rejects.toMatchObject({ failure: 'no-authentication' });
      }
      await other.redis.replicaof('127.0.0.1', 1);
      await expect(made.store.join(joinOf('a'))).rejects.toMatchObject({ failure: 'read-only' });
    });

    test('frozen: a call fails after a second; gone: at once; back: it works again', async () => {
      await using server = await RedisServer.start();
      await using made = await open(server.url);
      await made.store.join(joinOf('a'));
      server.freeze();
      await expect(made.store.beat(beatOf('a'))).rejects.toMatchObject({ failure: 'timeout' });
      server.thaw();
      await expect.poll(() => made.store.beat(beatOf('a'))).toMatchObject({ isGone: false });
      await server.stop();
      await expect(made.store.beat(beatOf('a'))).rejects.toMatchObject({ failure: 'unreachable' });
      await expect(made.store.read(NOTHING)).rejects.toMatchObject({ failure: 'unreachable' });
    });

    test('not there at the start: opening resolves, calls fail', async () => {
      await using server = await RedisServer.start();
      await server.stop();
      await using made = await open(server.url);
      await expect(made.store.beat(beatOf('a'))).rejects.toMatchObject({ failure: 'unreachable' });
    });
  });
});

test('without ioredis the error says what to install', () => {
  const program = `
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve(specifier, context, next) {
        if (specifier === 'ioredis') throw new Error('not installed');
        return next(specifier, context);
      },
    });
    const { openRedis } = await import('./src/cluster/redis/client.ts');
    await openRedis('redis://127.0.0.1:1').catch(({ code, message }) => console.log(code, message));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  });
  expect(stdout).toBe('SERVE_MISSING_DEPENDENCY a fleet needs a client of Redis: npm install ioredis\n');
});

async function scriptsRun(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]);
}
