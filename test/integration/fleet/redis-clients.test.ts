import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { MembershipOptions } from '../../../src/cluster/fleet-options.ts';
import { FLEET_TIMING, type FleetTiming } from '../../../src/cluster/node/timing.ts';
import type { RedisSettings } from '../../../src/cluster/redis/settings.ts';
import { probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { describeWithRedis, RedisServer } from '../../support/fleet/redis-server.ts';
import { MAJORS } from '../../support/fleet/redis-store-suite.ts';
import { adminOf } from '../../support/fleet/redis-topologies.ts';
import { eventually } from '../../support/until.ts';

/** Time limit of what takes a few beats, in ms, on a busy machine. */
const LONG_MS = 180_000;
const TIMING: FleetTiming = { ...FLEET_TIMING, beatMs: 400, settleMs: 200, aloneMs: 30_000 };

let fleets = 0;

describeWithRedis('a fleet on Redis', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  }, LONG_MS);

  afterAll(() => server[Symbol.asyncDispose]());
  afterEach(() => vi.unstubAllEnvs());

  async function join(
    redis: RedisSettings,
    name: string,
    numReplicas = 2,
    timing: FleetTiming = TIMING,
  ): Promise<FleetInstance> {
    const membership: MembershipOptions = { redis, zone: '', timing };
    const instance = await fleetInstance({ name, membership });
    await instance.serve.run(probe.options({ numReplicas, maxOngoingRequests: 4 }).bind(), { name: 'probe' });
    // A fleet that ends as a whole has nowhere to move its replicas.
    return { ...instance, [Symbol.asyncDispose]: () => instance.serve.close({ timeoutMs: 300 }) };
  }

  const sees = ({ serve }: FleetInstance, count: number): boolean =>
    serve.status().instances.filter(({ state }) => state === 'UP').length === count;

  test(
    'is one fleet by a URL, a module with ioredis 6, and clients that the app has made',
    async () => {
      vi.stubEnv('TEST_REDIS_URL', server.url);
      const name = `clients-${++fleets}`;
      const module = new URL('../../fixtures/redis/client-of-6.ts', import.meta.url).href;
      const { Redis: Redis6 } = await MAJORS[6]();
      await using resources = new AsyncDisposableStack();
      const made = [Redis, Redis6].map((Client) => new Client(server.url, { lazyConnect: true }));
      for (const client of made) resources.defer(() => client.disconnect());
      const settings: RedisSettings[] = [
        { url: server.url },
        { module },
        ...made.map((client) => ({ client })),
      ];
      const all = await Promise.all(settings.map((redis) => join(redis, name)));
      for (const instance of all) resources.use(instance);
      for (const instance of all) await eventually(() => sees(instance, 4), LONG_MS);
      const [, , lent] = all as [FleetInstance, FleetInstance, FleetInstance, FleetInstance];

      // The thread's next life gets a port of its own.
      lent.fleet.destroyThread();
      await eventually(() => lent.fleet.epoch === 2 && sees(lent, 4), LONG_MS);
      const scaled = (): Promise<boolean> =>
        lent.serve.scale('probe', 'Probe', 3).then(
          () => true,
          () => false,
        );
      await eventually(scaled, LONG_MS);
      await eventually(() => (all[0]?.serve.status().fleet?.generation ?? 0) > 0, LONG_MS);
    },
    2 * LONG_MS,
  );

  test(
    'joins once what makes its client works',
    async () => {
      vi.stubEnv('TEST_REDIS_URL', server.url);
      const client = new URL('../../fixtures/redis/client-of-6.ts', import.meta.url).href;
      const source = `
        import make from '${client}';
        let attempts = 0;
        export default (settings) => {
          if (attempts++ === 0) throw new Error('no credentials yet');
          return make(settings);
        };`;
      const module = `data:text/javascript,${encodeURIComponent(source)}`;
      await using instance = await join({ module }, `late-${++fleets}`);
      await eventually(() => instance.serve.status().fleet?.redis === 'up', LONG_MS);
      const message = expect.stringContaining('the fleet cannot be joined: no credentials yet');
      expect(instance.log.records).toContainEqual(expect.objectContaining({ message }));
    },
    LONG_MS,
  );

  test(
    'warns once where Redis may evict its keys',
    async () => {
      await using evicting = await RedisServer.start('--maxmemory-policy', 'allkeys-lru');
      await using instance = await join({ url: evicting.url }, `evicted-${++fleets}`);
      const warnings = (): string[] =>
        instance.log.records.map(({ message }) => message).filter((message) => message.includes('evict'));
      await eventually(() => warnings().length > 0, LONG_MS);
      await using other = await join({ url: server.url }, `kept-${++fleets}`);
      await eventually(() => other.serve.status().fleet?.redis === 'up', LONG_MS);
      expect(warnings()).toEqual([expect.stringMatching(/allkeys-lru.*'maxmemory-policy noeviction'/)]);
      expect(other.log.records.filter(({ message }) => message.includes('evict'))).toEqual([]);
    },
    LONG_MS,
  );

  test(
    'ignores, counts and logs what somebody without the secret has written',
    async () => {
      const name = `forged-${++fleets}`;
      await using resources = new AsyncDisposableStack();
      const all = await Promise.all([1, 2].map(() => join({ url: server.url }, name)));
      for (const instance of all) resources.use(instance);
      for (const instance of all) await eventually(() => sees(instance, 2), LONG_MS);
      const [one, other] = all as [FleetInstance, FleetInstance];
      await one.serve.scale('probe', 'Probe', 4);
      const running = (): number =>
        all.reduce(
          (sum, { serve }) =>
            sum + (serve.status().apps['probe']?.deployments['Probe']?.replicaStates['RUNNING'] ?? 0),
          0,
        );
      await eventually(() => running() === 4, LONG_MS);

      await using attacker = adminOf(server.adminUrl);
      const key = (suffix: string): string => `inserve:{${name}}:${suffix}`;
      const forged = Buffer.concat([Buffer.alloc(32, 7), Buffer.from(JSON.stringify({ format: 1 }))]);
      await attacker.redis.hset(key('overrides'), 'g', '1000', 'v', forged);
      await attacker.redis.hset(
        key('plan'),
        'n',
        '1000',
        't',
        `${Date.now() + 1_000_000}`,
        'v',
        forged,
        'p',
        '1',
      );
      await attacker.redis.hset(key('members'), 'intruder', 'r1');
      await attacker.redis.set(key('m:intruder'), forged, 'PX', 60_000);

      const count = async ({ serve }: FleetInstance): Promise<number> =>
        Number(/serve_redis_errors_total\{reason="forged"\} (\d+)/.exec(await serve.metrics())?.[1] ?? 0);
      for (const instance of all) await eventually(async () => (await count(instance)) > 0, LONG_MS);
      const logged = (what: string) => (instance: FleetInstance) =>
        instance.log.records.some(({ level, message }) => level === 'warn' && message.includes(what));
      for (const what of ['overrides', 'record intruder'])
        await eventually(() => all.some(logged(what)), LONG_MS);
      // The overrides are written over, and count as before.
      await eventually(
        async () => !(await attacker.redis.hgetBuffer(key('overrides'), 'v'))?.equals(forged),
        LONG_MS,
      );
      await other.serve.scale('probe', 'Probe', 2);
      await eventually(() => running() === 2, LONG_MS);
      expect(sees(one, 2)).toBe(true);
      const { instances } = one.serve.status();
      expect(instances.map(({ id }) => id)).not.toContain('intruder');
    },
    2 * LONG_MS,
  );

  test(
    'counts the failures of Redis, and says them once',
    async () => {
      await using own = await RedisServer.start();
      await using instance = await join({ url: own.url }, `away-${++fleets}`);
      await eventually(() => instance.serve.status().fleet?.redis === 'up', LONG_MS);
      await own.stop();
      const count = async (): Promise<number> =>
        Number(
          /serve_redis_errors_total\{reason="unreachable"\} (\d+)/.exec(
            await instance.serve.metrics(),
          )?.[1] ?? 0,
        );
      await eventually(async () => (await count()) >= 3, LONG_MS);
      const lines = instance.log.records.filter(({ message }) => message.includes('Redis cannot be reached'));
      expect(lines).toHaveLength(1);
    },
    2 * LONG_MS,
  );

  test(
    'logs once that a peer has another secret, on both sides',
    async () => {
      const name = `strangers-${++fleets}`;
      const membership: MembershipOptions = { redis: { url: server.url }, zone: '', timing: TIMING };
      await using one = await fleetInstance({ name, membership });
      const { host, port } = await one.fleet.address;
      const secrets = ['another secret of 32 bytes, at least'];
      await using stranger = await fleetInstance({ name, secrets, peers: [{ host, port }] });
      const logged = ({ log }: FleetInstance, what: string): unknown[] =>
        log.records.filter(({ message }) => message.includes(what));
      const refused = 'was refused: it did not prove that it knows the secret of the fleet';
      await eventually(() => logged(one, refused).length > 0, LONG_MS);
      await eventually(
        () => logged(stranger, 'is fleet.secret the same on all instances?').length > 0,
        LONG_MS,
      );
      const faults = async (): Promise<boolean> =>
        /serve_peer_faults_total\{reason="unauthorized"\} [3-9]/.test(await one.serve.metrics());
      await eventually(faults, LONG_MS);
      expect(logged(one, refused)).toHaveLength(1);
    },
    LONG_MS,
  );
});
