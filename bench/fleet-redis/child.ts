import { setTimeout as sleep } from 'node:timers/promises';
import { createServe, type Serve } from 'inserve';
import { Redis } from 'ioredis';
import { answer } from '../harness/answer.ts';
import type { Metrics } from '../harness/samples.ts';
import { type Echo, EchoDeployment } from './deployments.ts';

const [url = '', count = '', ms = ''] = process.argv.slice(2);
const INSTANCES = Number(count);
const WINDOW_MS = Number(ms);
const APP = 'echo';
/** Time limit of a fleet that comes together, in ms. */
const TOGETHER_MS = 240_000;
/** Replicas of the whole fleet: they ask Redis nothing, and their threads cost what instances need. */
const REPLICAS = 3;
/** Requests of each instance, per second: enough to show, were one of them to reach Redis. */
const REQUESTS_PER_S = 50;

const fleet: Serve[] = [];

/** Starts the fleet, and counts what Redis is asked while requests run, and while a person gives one order. */
async function measure(): Promise<Metrics> {
  const secret = 'a secret of the fleet of the bench!';
  const app = EchoDeployment.options({ numReplicas: REPLICAS }).bind();
  // One after the other: together they would wait for each other's threads.
  for (let index = 0; index < INSTANCES; index++) {
    const serve = createServe({
      redis: url,
      fleet: { secret, trustNetwork: true },
      hostGuard: { enabled: false },
    });
    fleet.push(serve);
    await serve.run(app, { name: APP, routePrefix: null });
  }
  const deadline = performance.now() + TOGETHER_MS;
  while (!fleet.every(isComplete)) {
    if (performance.now() > deadline) throw new Error(`${INSTANCES} instances did not come together`);
    await sleep(100);
  }

  const redis = new Redis(url, { disableClientInfo: true });
  const monitor = await redis.monitor();
  const bySource = new Map<string, number>();
  let operations = 0;
  monitor.on('monitor', (_time: string, _args: string[], source: string) => {
    // Commands that a script runs belong to the script.
    if (source === 'lua') return;
    operations++;
    bySource.set(source, (bySource.get(source) ?? 0) + 1);
  });
  let requests = 0;
  const from = performance.now();
  const order = sleep(WINDOW_MS / 2).then(() => fleet[0]?.scale(APP, 'Echo', REPLICAS + 1));
  await Promise.all(
    fleet.map(async (serve) => {
      const handle = serve.handle<typeof Echo>(APP);
      for (let at = from; at - from < WINDOW_MS; at = performance.now()) {
        await handle.remote(1);
        requests++;
        await sleep(1_000 / REQUESTS_PER_S);
      }
    }),
  );
  await order;
  const seconds = (performance.now() - from) / 1_000;
  monitor.disconnect();
  redis.disconnect();
  return {
    ops: operations / seconds / INSTANCES,
    busiest: Math.max(...bySource.values()) / seconds,
    requests: requests / seconds,
  };
}

function isComplete(serve: Serve): boolean {
  const { instances, apps } = serve.status();
  const running = apps[APP]?.deployments['Echo']?.fleet?.running ?? {};
  return (
    instances.filter(({ state }) => state === 'UP').length === INSTANCES &&
    Object.values(running).reduce((sum, one) => sum + one, 0) === REPLICAS
  );
}

answer<'measure', Metrics>(measure, async () => {
  await Promise.all(fleet.map((serve) => serve.close({ timeoutMs: 100 })));
});
