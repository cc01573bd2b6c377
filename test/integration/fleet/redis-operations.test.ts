import { afterAll, beforeAll, expect, test } from 'vitest';
import { FLEET_TIMING } from '../../../src/cluster/node/timing.ts';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { monitor } from '../../support/fleet/redis-monitor.ts';
import { describeWithRedis, RedisServer } from '../../support/fleet/redis-server.ts';
import { adminOf } from '../../support/fleet/redis-topologies.ts';
import { eventually } from '../../support/until.ts';

const LONG_MS = 180_000;
const INSTANCES = 3;
/** Operations per second and instance that are allowed. */
const MAX_RATE = 1.5;
/** Requests that are made while Redis is watched, by each instance. */
const REQUESTS = 2_000;

describeWithRedis('what three instances ask of Redis', () => {
  let server: RedisServer;
  const all: FleetInstance[] = [];

  beforeAll(async () => {
    server = await RedisServer.start();
    for (let index = 0; index < INSTANCES; index++) {
      const membership = { redis: { url: server.url }, zone: '', timing: FLEET_TIMING };
      all.push(await fleetInstance({ name: 'asked', membership }));
    }
    const options = { numReplicas: INSTANCES, maxOngoingRequests: 16 };
    await Promise.all(all.map(({ serve }) => serve.run(probe.options(options).bind(), { name: 'probe' })));
    const isSettled = ({ serve }: FleetInstance): boolean =>
      serve.status().instances.filter(({ state }) => state === 'UP').length === INSTANCES &&
      serve.status().apps['probe']?.deployments['Probe']?.replicaStates['RUNNING'] === 1;
    await eventually(() => all.every(isSettled), LONG_MS);
  }, 2 * LONG_MS);

  afterAll(async () => {
    await Promise.all(all.map(({ serve }) => serve.close({ timeoutMs: 300 })));
    await server[Symbol.asyncDispose]();
  }, LONG_MS);

  test(
    'is a beat every two seconds each, however many requests they serve',
    async () => {
      await using admin = adminOf(server.adminUrl);
      await using watched = await monitor(admin.redis);
      const from = performance.now();
      const answered = all.map(async ({ serve }) => {
        const handle = serve.handle<Probe>('probe');
        for (let done = 0; done < REQUESTS; done += 50)
          await Promise.all(Array.from({ length: 50 }, () => handle.where.remote()));
      });
      await Promise.all(answered);
      // Five beats of each, so that the rate is not that of one moment.
      await eventually(() => watched.commands.length >= 5 * INSTANCES, LONG_MS);
      const seconds = (performance.now() - from) / 1_000;
      expect(watched.commands.length / seconds / INSTANCES).toBeLessThanOrEqual(MAX_RATE);
      expect(watched.commands.length).toBeLessThan(REQUESTS / 10);
      // Only scripts: nothing else is asked.
      expect(watched.commands.filter((command) => !command.toLowerCase().startsWith('evalsha'))).toEqual([]);
    },
    2 * LONG_MS,
  );
});
