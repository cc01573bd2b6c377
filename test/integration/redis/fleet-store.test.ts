import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FleetStore, StoreOperation, StoreOperations } from '../../../src/cluster/fleet-store.ts';
import { memoryFleetStore } from '../../../src/cluster/memory-fleet-store.ts';
import { openRedis } from '../../../src/cluster/redis/client.ts';
import { FleetKeys } from '../../../src/cluster/redis/keys.ts';
import { RedisFleetStore } from '../../../src/cluster/redis/redis-store.ts';
import {
  beatOf,
  bytes,
  type FreshStore,
  fleetStoreConformance,
  joinOf,
  NOTHING,
} from '../../support/fleet/fleet-store-suite.ts';
import { HAS_REDIS, RedisServer } from '../../support/fleet/redis-server.ts';

if (!HAS_REDIS)
  console.warn('redis-server is not installed and cannot be: the tests of the store on Redis are skipped');

const HOUR_MS = 3_600_000;
let fleets = 0;

async function open(server: RedisServer): Promise<FreshStore> {
  const client = await openRedis(server.url);
  const store = new RedisFleetStore(client, new FleetKeys(`fleet-${fleets++}`));
  return {
    store,
    async [Symbol.asyncDispose]() {
      client.close();
    },
  };
}

/** An administrator's own connection. */
function admin(server: RedisServer): AsyncDisposable & { readonly redis: Redis } {
  const redis = new Redis(server.url);
  return {
    redis,
    async [Symbol.asyncDispose]() {
      redis.disconnect();
    },
  };
}

describe.skipIf(!HAS_REDIS)('a store on Redis', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  });

  afterAll(() => server[Symbol.asyncDispose]());

  describe('does what the memory store does', () => {
    fleetStoreConformance(() => open(server));

    test('the same random calls have the same answers', async () => {
      const client = await openRedis(server.url);
      await fc.assert(
        fc.asyncProperty(fc.array(calls(), { minLength: 1, maxLength: 40 }), async (commands) => {
          const base = Date.now() + HOUR_MS;
          const real = new RedisFleetStore(client, new FleetKeys(`fleet-${fleets++}`));
          const model = memoryFleetStore();
          for (const make of commands) {
            const { operation, request } = make(base);
            const [answer, expected] = [
              await call(real, operation, request),
              await call(model, operation, request),
            ];
            expect(plain(answer)).toEqual(plain(expected));
          }
        }),
        { numRuns: 60 },
      );
      client.close();
    });
  });

  test('works under an access list that allows its keys and nothing else', async () => {
    await using made = admin(server);
    const keys = new FleetKeys('narrow');
    const commands =
      '+@connection -client|list -client|kill -client|pause +cluster|slots +cluster|info +eval +evalsha +script|load ' +
      '+subscribe +unsubscribe +publish +time +info +get +set +del +hget +hset +hgetall +hdel +hlen +pexpire +pttl ' +
      '+exists +sadd +srem +smembers';
    const rules = [
      'on',
      '>word',
      'resetkeys',
      'resetchannels',
      `~${keys.prefix}*`,
      `&${keys.prefix}*`,
      '-@all',
    ];
    await made.redis.call('ACL', 'SETUSER', 'fleet', ...rules, ...commands.split(' '));
    const client = await openRedis({ url: server.url, options: { username: 'fleet', password: 'word' } });
    const store = new RedisFleetStore(client, keys);
    await store.join(joinOf('a'));
    const lease = await store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 });
    expect(
      await store.plan({
        owner: 'a#1',
        token: lease?.token ?? 0,
        expected: 0,
        number: 1,
        pages: [bytes('p')],
        ttlMs: 1_000,
      }),
    ).toEqual({
      isAccepted: true,
    });
    expect((await store.beat(beatOf('a'))).planNumber).toBe(1);
    const foreign = new RedisFleetStore(client, new FleetKeys('other'));
    await expect(foreign.join(joinOf('a'))).rejects.toMatchObject({ failure: 'no-permission' });
    client.close();
  });

  test('a beat is one operation for Redis', async () => {
    await using made = await open(server);
    await using watcher = admin(server);
    await made.store.join(joinOf('a'));
    await made.store.beat(beatOf('a'));
    const before = await scriptsRun(watcher.redis);
    for (let beat = 0; beat < 10; beat++) await made.store.beat(beatOf('a'));
    expect((await scriptsRun(watcher.redis)) - before).toBe(10);
  });

  test('goes on after Redis has forgotten its scripts', async () => {
    await using made = await open(server);
    await using other = admin(server);
    await made.store.join(joinOf('a'));
    await other.redis.script('FLUSH');
    expect((await made.store.beat(beatOf('a'))).isGone).toBe(false);
  });

  test('says what is wrong with a key of another type', async () => {
    await using made = await open(server);
    await using other = admin(server);
    await other.redis.set(new FleetKeys(`fleet-${fleets - 1}`).members, 'text');
    await expect(made.store.join(joinOf('a'))).rejects.toMatchObject({ failure: 'wrong-type' });
  });
});

describe.skipIf(!HAS_REDIS)('a Redis that fails', () => {
  test('out of memory: heartbeats and the renewal of the lease work, joins and claims fail', async () => {
    await using server = await RedisServer.start('--maxmemory-policy', 'noeviction');
    await using made = await open(server);
    await using other = admin(server);
    await made.store.join(joinOf('a'));
    const lease = await made.store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 });
    await other.redis.config('SET', 'maxmemory', '1mb');
    const beat = await made.store.beat(beatOf('a', { lease }));
    expect([beat.isGone, beat.lease]).toEqual([false, lease]);
    expect(await made.store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 })).toEqual(lease);
    await expect(made.store.join(joinOf('b'))).rejects.toMatchObject({ failure: 'out-of-memory' });
    await expect(
      made.store.lease({ owner: 'b#1', ttlMs: 15_000, floor: (lease?.token ?? 0) + 1 }),
    ).rejects.toMatchObject({
      failure: 'out-of-memory',
    });
  });

  test('a replica, or one that needs a password: the error says which', async () => {
    await using server = await RedisServer.start();
    await using made = await open(server);
    await using other = admin(server);
    await other.redis.config('SET', 'requirepass', 'word');
    const refused = await openRedis(server.url);
    const store = new RedisFleetStore(refused, new FleetKeys('x'));
    await expect(store.beat(beatOf('a'))).rejects.toMatchObject({ failure: 'no-authentication' });
    refused.close();
    await other.redis.config('SET', 'requirepass', '');
    await other.redis.replicaof('127.0.0.1', 1);
    await expect(made.store.join(joinOf('a'))).rejects.toMatchObject({ failure: 'read-only' });
  });

  test('frozen: a call fails after a second; gone: at once; back: it works again', async () => {
    await using server = await RedisServer.start();
    await using made = await open(server);
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
    await using made = await open(server);
    await expect(made.store.beat(beatOf('a'))).rejects.toMatchObject({ failure: 'unreachable' });
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
  expect(stdout).toBe('SERVE_MISSING_DEPENDENCY a fleet needs Redis: npm install ioredis\n');
});

interface Call {
  readonly operation: StoreOperation;
  readonly request: StoreOperations[StoreOperation]['request'];
}

async function call(
  store: FleetStore,
  operation: StoreOperation,
  request: Call['request'],
): Promise<unknown> {
  const method = store[operation] as (request: Call['request']) => Promise<unknown>;
  return method.call(store, request);
}

/** Times of day differ between the two, so all numbers lie an hour ahead of both. */
function calls(): fc.Arbitrary<(base: number) => Call> {
  const id = fc.constantFrom('a', 'b', 'c');
  const owner = fc.constantFrom('a#1', 'b#1', 'b#2');
  const small = fc.integer({ min: 1, max: 5 });
  const value = fc.uint8Array({ minLength: 1, maxLength: 12 });
  const made = <T extends readonly unknown[]>(
    parts: { [I in keyof T]: fc.Arbitrary<T[I]> },
    make: (base: number, ...parts: T) => Call,
  ) =>
    fc
      .tuple(...(parts as fc.Arbitrary<unknown>[]))
      .map((found) => (base: number) => make(base, ...(found as unknown as T)));
  return fc.oneof(
    made<[string, number, Uint8Array]>([id, small, value], (base, name, version, record) => ({
      operation: 'join',
      request: joinOf(name, {
        record,
        revision: `r${version}`,
        version: `v${version}`,
        versions: { first: base, [`v${version % 3}`]: base + version },
      }),
    })),
    made<[string, string, number, string]>(
      [id, owner, small, fc.constantFrom('a', 'x')],
      (base, name, holder, token, declarationHash) => ({
        operation: 'beat',
        request: beatOf(name, { declarationHash, lease: { owner: holder, token: base + token } }),
      }),
    ),
    made<[string, number, number]>(
      [owner, fc.constantFrom(0, 15_000, 15_000), small],
      (base, holder, ttlMs, floor) => ({
        operation: 'lease',
        request: { owner: holder, ttlMs, floor: base + floor },
      }),
    ),
    made<[number, number, Uint8Array]>(
      [fc.nat(5), small, value],
      (_base, expected, generation, document) => ({
        operation: 'override',
        request: { expected, generation, value: document, ttlMs: 60_000 },
      }),
    ),
    made<[string, number, number, number, Uint8Array[]]>(
      [owner, small, fc.nat(5), small, fc.array(value, { minLength: 1, maxLength: 3 })],
      (base, holder, token, expected, number, pages) => ({
        operation: 'plan',
        request: { owner: holder, token: base + token, expected, number, pages, ttlMs: 60_000 },
      }),
    ),
    made<[boolean, boolean, boolean]>(
      [fc.boolean(), fc.boolean(), fc.boolean()],
      (_base, overrides, plan, versions) => ({
        operation: 'read',
        request: { members: ['a', 'b', 'c'], declarations: ['a', 'x'], overrides, plan, versions },
      }),
    ),
    made<[string, boolean]>([id, fc.boolean()], (_base, name, isOnlyIfDead) => ({
      operation: 'leave',
      request: { id: name, isOnlyIfDead },
    })),
  );
}

/** Without what the clock decides; bytes as text. */
function plain(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer ?? null, (key, value: unknown) => {
      if (key === 'ttlMs') return (value as number) > 0;
      return ArrayBuffer.isView(value)
        ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
        : value;
    }).replaceAll(/\{"type":"Buffer","data":\[([\d,]*)\]\}/g, (_, list: string) =>
      JSON.stringify(Buffer.from(list === '' ? [] : list.split(',').map(Number)).toString('hex')),
    ),
  );
}

async function scriptsRun(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1]);
}
