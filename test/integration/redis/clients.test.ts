import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MessageChannel } from 'node:worker_threads';
import { Cluster, Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openRedis, type RedisClient } from '../../../src/cluster/redis/client.ts';
import type { FleetKeys } from '../../../src/cluster/redis/keys.ts';
import { borrowRedis, lendRedis } from '../../../src/cluster/redis/lent-client.ts';
import { RedisFleetStore } from '../../../src/cluster/redis/redis-store.ts';
import type { RedisSettings } from '../../../src/cluster/redis/settings.ts';
import { beatOf, bytes, fleetStoreConformance, joinOf } from '../../support/fleet/fleet-store-suite.ts';
import { ADMIN, describeWithRedis, MEMBER, RedisServer } from '../../support/fleet/redis-server.ts';
import { freshKeys, MAJORS } from '../../support/fleet/redis-store-suite.ts';
import { adminOf, RedisCluster } from '../../support/fleet/redis-topologies.ts';

/** Time limit where servers start, on a busy machine. */
const START_MS = 120_000;

const ROTATING = new URL('../../fixtures/redis/rotating-client.ts', import.meta.url).href;
const OF_6 = new URL('../../fixtures/redis/client-of-6.ts', import.meta.url).href;
const pem = (name: string): string => fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));

/** A folder that goes with the test. */
function folder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'inserve-redis-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

/** A proxy before a server that ends connections in place of passing a command on, so many times, once it has passed on one. */
async function cuttingProxy(
  target: number,
  command: string,
  cuts: number,
): Promise<AsyncDisposable & { readonly port: number; readonly cuts: number }> {
  let seen = 0;
  const sockets = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = connect(target, '127.0.0.1');
    const both = [client, server];
    for (const socket of both) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        for (const one of both) one.destroy();
      });
    }
    client.on('data', (bytes) => {
      const isAsked = bytes.toString().toLowerCase().includes(command);
      if (isAsked && ++seen > 1 && seen <= cuts + 1) client.destroy();
      else server.write(bytes);
    });
    server.on('data', (bytes) => client.write(bytes));
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  return {
    port,
    get cuts() {
      return Math.min(cuts, seen - 1);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, 'close');
    },
  };
}

/** A store by given settings, and a record of what is announced. */
async function storeOf(redis: RedisSettings, keys: FleetKeys = freshKeys()) {
  const client = await openRedis(redis);
  const hints: number[] = [];
  const store = new RedisFleetStore(client, keys);
  store.onHint(({ number }) => hints.push(number));
  return { store, hints, [Symbol.dispose]: () => client.close() };
}

let generation = 0;

/** Writes overrides until their announcement arrives. */
async function expectHint({ store, hints }: Awaited<ReturnType<typeof storeOf>>): Promise<void> {
  hints.length = 0;
  const announced = async (): Promise<boolean> => {
    // A store without overrides takes any; one with overrides has those of the last round.
    const expected = generation++;
    await store.override({ expected, generation, value: bytes('o'), ttlMs: 60_000 });
    return hints.length > 0;
  };
  await expect.poll(announced, { timeout: 30_000, interval: 100 }).toBe(true);
}

describeWithRedis('a client of Redis', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  }, START_MS);

  afterAll(() => server[Symbol.asyncDispose]());
  afterEach(() => vi.unstubAllEnvs());

  test('by options finds the keys of the fleet, whatever prefix the options have', async () => {
    const keys = freshKeys();
    const options = { host: '127.0.0.1', port: server.port, ...MEMBER, keyPrefix: 'app:' };
    using one = await storeOf({ options }, keys);
    using other = await storeOf({ url: server.url }, keys);
    await one.store.join(joinOf('a'));
    await other.store.join(joinOf('b'));
    for (const { store } of [one, other]) expect((await store.beat(beatOf('a'))).memberCount).toBe(2);
  });

  test(
    'of a module follows credentials that rotate, on both of its connections',
    async () => {
      using files = folder();
      const file = join(files.path, 'credentials.json');
      const write = (password: string): void =>
        writeFileSync(
          file,
          JSON.stringify({ host: '127.0.0.1', port: server.port, username: 'rotating', password }),
        );
      await using made = adminOf(server.adminUrl);
      const allow = async (password: string): Promise<unknown> =>
        made.redis.call('ACL', 'SETUSER', 'rotating', 'reset', 'on', `>${password}`, '~*', '&*', '+@all');
      vi.stubEnv('TEST_REDIS_CREDENTIALS', file);
      write('first');
      await allow('first');
      using own = await storeOf({ module: ROTATING });
      await own.store.join(joinOf('a'));
      await expectHint(own);

      await allow('second');
      await made.redis.call('CLIENT', 'KILL', 'USER', 'rotating');
      const beat = (): Promise<unknown> => own.store.beat(beatOf('a'));
      await expect
        .poll(() => beat().catch((error) => error), { timeout: 30_000 })
        .toMatchObject({
          failure: 'no-authentication',
        });
      write('second');
      await expect
        .poll(() => beat().catch((error) => error), { timeout: 30_000 })
        .toMatchObject({ isGone: false });
      await expectHint(own);
    },
    START_MS,
  );

  test('of a module may be of another major', async () => {
    vi.stubEnv('TEST_REDIS_URL', server.url);
    using own = await storeOf({ module: OF_6 });
    await own.store.join(joinOf('a'));
    await expectHint(own);
  });

  test('of a module without a factory: the error says what is needed', async () => {
    const module = 'data:text/javascript,export default 1';
    const wanted = { code: 'SERVE_INVALID_OPTION', message: expect.stringContaining('default export') };
    await expect(openRedis({ module })).rejects.toMatchObject(wanted);
  });

  test('that its strategy gave up is opened again', async () => {
    const given = new Redis(server.url, { lazyConnect: true });
    using own = await storeOf({ client: given });
    await own.store.join(joinOf('a'));
    await using made = adminOf(server.adminUrl);
    for (let round = 0; round < 3; round++) {
      await made.redis.call('CLIENT', 'KILL', 'USER', MEMBER.username);
      const beat = (): Promise<unknown> => own.store.beat(beatOf('a')).catch((error) => error);
      await expect.poll(beat, { timeout: 30_000 }).toMatchObject({ isGone: false });
    }
    await expectHint(own);
  });

  test.each(['5', '6'] as const)(
    'whose connection is cut while it subscribes again leaves nothing unhandled, by ioredis %s',
    async (major) => {
      const unhandled: unknown[] = [];
      const onUnhandled = (error: unknown): number => unhandled.push(error);
      process.on('unhandledRejection', onUnhandled);
      await using resources = new AsyncDisposableStack();
      resources.defer(() => void process.off('unhandledRejection', onUnhandled));
      await using proxy = await cuttingProxy(server.port, 'subscribe', 2);
      const url = `redis://${MEMBER.username}:${MEMBER.password}@127.0.0.1:${proxy.port}`;
      const client = await openRedis(url, MAJORS[major]);
      resources.defer(() => client.close());
      const store = new RedisFleetStore(client, freshKeys());
      const hints: number[] = [];
      store.onHint(({ number }) => hints.push(number));
      const own = { store, hints, [Symbol.dispose]: () => {} };
      await expectHint(own);
      await using made = adminOf(server.adminUrl);
      await made.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      await expectHint(own);
      expect(proxy.cuts).toBe(2);
      expect(unhandled).toEqual([]);
    },
    START_MS,
  );

  describe.each(['5', '6'] as const)(
    'made by the app with ioredis %s, and lent to another thread',
    (major) => {
      let given: Redis;
      let client: RedisClient;

      beforeAll(async () => {
        const { Redis: Client } = await MAJORS[major]();
        given = new Client(server.url, { lazyConnect: true, keyPrefix: 'app:' });
        client = await openRedis({ client: given });
      });

      afterAll(() => {
        client.close();
        given.disconnect();
      });

      const borrow = async (): Promise<RedisClient> => {
        const { port1, port2 } = new MessageChannel();
        lendRedis(async () => client, port1);
        return borrowRedis(port2);
      };

      fleetStoreConformance(async () => {
        const borrowed = await borrow();
        return {
          store: new RedisFleetStore(borrowed, freshKeys()),
          [Symbol.asyncDispose]: async () => borrowed.close(),
        };
      });

      test('tells failures and its address', async () => {
        const borrowed = await borrow();
        const keys = freshKeys();
        await using made = adminOf(server.adminUrl);
        await made.redis.set(keys.members, 'text');
        const store = new RedisFleetStore(borrowed, keys);
        await expect(store.join(joinOf('a'))).rejects.toMatchObject({
          failure: 'wrong-type',
          message: expect.stringContaining('WRONGTYPE'),
        });
        expect(borrowed.localAddress).toBe('127.0.0.1');
        borrowed.close();
      });
    },
  );

  test(
    'of a Cluster that the app has made',
    async () => {
      await using cluster = await RedisCluster.start();
      const nodes = cluster.ports.map((port) => ({ host: '127.0.0.1', port }));
      const given = new Cluster(nodes, { lazyConnect: true, redisOptions: { ...MEMBER } });
      using own = await storeOf({ client: given });
      await own.store.join(joinOf('a'));
      await expectHint(own);
      given.disconnect();
    },
    START_MS,
  );

  test(
    'with TLS reads certificates from files, again for each connection',
    async () => {
      using files = folder();
      const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => join(files.path, name)) as [
        string,
        string,
        string,
      ];
      const use = (of: 'fleet' | 'other'): void => {
        copyFileSync(pem(`${of}-ca.pem`), ca);
        copyFileSync(pem(`${of}.pem`), cert);
        copyFileSync(pem(`${of}.key`), key);
      };
      use('fleet');
      const tlsPort = server.port === 65_535 ? server.port - 1 : server.port + 1;
      const settings = {
        'tls-port': tlsPort,
        'tls-cert-file': pem('fleet.pem'),
        'tls-key-file': pem('fleet.key'),
        'tls-ca-cert-file': pem('fleet-ca.pem'),
        'tls-auth-clients': 'yes',
      };
      const words = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]);
      await using secured = await RedisServer.start(...words);
      const tls = { ca, cert, key };
      using own = await storeOf({ options: { host: '127.0.0.1', port: tlsPort, ...MEMBER, tls } });
      await own.store.join(joinOf('a'));

      await using made = adminOf(secured.adminUrl);
      expect(made.redis.options.username).toBe(ADMIN.username);
      await made.redis.call(
        'CONFIG',
        'SET',
        ...['tls-cert-file', pem('other.pem'), 'tls-key-file', pem('other.key')],
        ...['tls-ca-cert-file', pem('other-ca.pem')],
      );
      await made.redis.call('CLIENT', 'KILL', 'USER', MEMBER.username);
      const beat = (): Promise<unknown> => own.store.beat(beatOf('a')).catch((error) => error);
      await expect.poll(beat, { timeout: 30_000 }).toMatchObject({ failure: 'unreachable' });
      use('other');
      await expect.poll(beat, { timeout: 30_000 }).toMatchObject({ isGone: false });
    },
    START_MS,
  );
});
