import { Agent, get } from 'node:http';
import { expect, test } from 'vitest';
import { FleetApps } from '../../support/fleet/apps.ts';
import { describeWithRedis, RedisServer } from '../../support/fleet/redis-server.ts';
import { Balancer } from '../../support/http/balancer.ts';
import { steadyLoad } from '../../support/steady-load.ts';
import { eventually } from '../../support/until.ts';

/** `INSERVE_FLEET_REQUESTS` asks for more. */
const REQUESTS = Number(process.env['INSERVE_FLEET_REQUESTS'] ?? 50_000);
const LIMIT_MS = 900_000;
const CALLERS = 16;

/** Row 14 of the fault table: every instance is replaced by one of a new version, under load. */
describeWithRedis('a fleet that is rolled', () => {
  test(
    `to a new version loses none of ${REQUESTS} requests, and the new version answers all in the end`,
    async () => {
      await using redis = await RedisServer.start();
      await using fleet = new FleetApps(redis.url, { options: { numReplicas: 4 } });
      await using balancer = await Balancer.start();
      const join = async (version: string): Promise<void> => {
        const { port } = await fleet.add({ version, args: { label: version } });
        await balancer.add(port);
        await eventually(() => balancer.isReady(port), 60_000);
      };
      for (let index = 0; index < 3; index++) await join('1');
      await fleet.balanced(4);
      const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
      const old = [...fleet.alive];
      const outcomes = await steadyLoad(
        CALLERS,
        () => ask(agent, balancer.port),
        async (so) => {
          for (const [index, app] of old.entries()) {
            await eventually(() => so.ok > ((index + 1) * REQUESTS) / 5, LIMIT_MS);
            await join('2');
            app.signal('SIGTERM');
            await app.ended;
            balancer.remove(app.port);
            await fleet.settled(4);
          }
          await eventually(() => so.ok >= REQUESTS, LIMIT_MS);
        },
      );
      agent.destroy();
      expect(outcomes.errors).toEqual([]);
      expect(old.map((app) => app.process.exitCode)).toEqual([0, 0, 0]);
      const labels = await Promise.all(fleet.alive.map((app) => app.ask(1)));
      expect(labels).toEqual(['2', '2', '2']);
    },
    LIMIT_MS,
  );
});

/** One request of a client that keeps its connections and never repeats one. */
function ask(agent: Agent, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ agent, host: '127.0.0.1', port, path: '/2' }, (response) => {
      response.toArray().then((chunks) => {
        const body = Buffer.concat(chunks as Buffer[]).toString();
        if (response.statusCode === 200) resolve((JSON.parse(body) as { label: string }).label);
        else reject(new Error(`${response.statusCode} ${body}`));
      }, reject);
    }).on('error', reject);
  });
}
