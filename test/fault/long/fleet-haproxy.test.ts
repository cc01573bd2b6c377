import { Agent, request } from 'node:http';
import { expect, test } from 'vitest';
import { describeWithProgram } from '../../support/distribution-package.ts';
import { FleetApps } from '../../support/fleet/apps.ts';
import { HAS_REDIS, RedisServer } from '../../support/fleet/redis-server.ts';
import { freePort } from '../../support/free-port.ts';
import { HAS_HAPROXY, HaProxy } from '../../support/http/haproxy.ts';
import { steadyLoad } from '../../support/steady-load.ts';
import { eventually } from '../../support/until.ts';

const INSTANCES = 3;
const CALLERS = 16;
/** Of the configuration: it asks every second, and the default of `serve.shutdown()` is 5 s. */
const DRAIN_DELAY_MS = 5_000;
const REQUESTS_EACH = 3_000;
const LIMIT_MS = 600_000;

describeWithProgram('haproxy', HAS_HAPROXY && HAS_REDIS, 'a fleet behind deploy/haproxy.cfg', () => {
  test(
    'loses no request of any method when its instances are replaced one by one at their addresses',
    async () => {
      await using redis = await RedisServer.start();
      const defaults = { options: { numReplicas: INSTANCES }, drainDelayMs: DRAIN_DELAY_MS };
      await using fleet = new FleetApps(redis.url, defaults);
      const ports = await Promise.all(Array.from({ length: INSTANCES }, freePort));
      for (const port of ports) await fleet.add({ port, version: '1' });
      await fleet.balanced(INSTANCES);
      await using proxy = await HaProxy.start(ports, '/1');
      const agent = new Agent({ keepAlive: true, maxSockets: CALLERS });
      const old = [...fleet.alive];
      let turn = 0;
      const outcomes = await steadyLoad(
        CALLERS,
        () => ask(agent, proxy.port, turn++ % 2 === 0 ? 'GET' : 'POST'),
        async (so) => {
          for (const app of old) {
            const before = so.ok;
            app.signal('SIGTERM');
            await app.ended;
            const { port } = app;
            await fleet.add({ port, version: '2' });
            await fleet.settled(INSTANCES);
            await eventually(() => so.ok >= before + REQUESTS_EACH, LIMIT_MS);
          }
          const seen = so.of('2');
          await eventually(() => so.of('2') >= seen + REQUESTS_EACH, LIMIT_MS);
        },
      );
      agent.destroy();
      expect(outcomes.errors).toEqual([]);
      expect(old.map((app) => app.process.exitCode)).toEqual(old.map(() => 0));
      expect(outcomes.of('1')).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );
});

/** One request of a client that keeps its connections and never repeats one. @returns the version that answered */
function ask(agent: Agent, port: number, method: 'GET' | 'POST'): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host: '127.0.0.1', port, path: '/2', method }, (response) => {
      response.toArray().then((chunks) => {
        const body = Buffer.concat(chunks as Buffer[]).toString();
        if (response.statusCode === 200) resolve((JSON.parse(body) as { label: string }).label);
        else reject(new Error(`${response.statusCode} ${body}`));
      }, reject);
    });
    sent.on('error', reject);
    sent.end(method === 'POST' ? 'a body' : undefined);
  });
}
