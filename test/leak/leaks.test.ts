import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, inject, test } from 'vitest';
import { createServe, type DeploymentHandle, type Serve } from '../../src/index.ts';
import { type Basic, basic } from '../fixtures/calls/basic.ts';
import { stallingIngress } from '../fixtures/http/stalling.ts';
import { silent } from '../support/silent.ts';
import { eventually } from '../support/until.ts';

/** Full counts with `npm run test:soak`; a tenth of them with every `npm test`. */
const SCALE = Number(process.env['INSERVE_SOAK'] ?? 0.1);
const times = (full: number): number => Math.ceil(full * SCALE);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Keeps no records of its log, which would count as a leak. */
const forgetfulServe = (): Serve => createServe({ logger: silent, workerEntry: inject('threadEntry') });

type Handle = DeploymentHandle<typeof Basic>;

/** What must be back where it was. */
interface Footprint {
  resources: Record<string, number>;
  heapMib: number;
  ongoing: number;
  queued: number;
}

async function footprint(serve: Serve, app: string): Promise<Footprint> {
  // Twice, with turns in between: finalizers run after a collection.
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    collectGarbage();
  }
  const resources: Record<string, number> = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const reports = Object.values(serve.status().apps[app]?.deployments ?? {});
  return {
    resources,
    heapMib: process.memoryUsage().heapUsed / 1_048_576,
    ongoing: reports.flatMap(({ replicas }) => replicas).reduce((sum, { ongoing }) => sum + ongoing, 0),
    queued: reports.reduce((sum, { queued }) => sum + queued, 0),
  };
}

/** Time within which what is left over must be gone, in ms. */
const SETTLE_MS = 10_000;

/** Resources of which there are more than before, by how many. */
function grown(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  const more = Object.entries(after).map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
  return Object.fromEntries(more.filter(([, by]) => by > 0));
}

/** Runs the work once to warm up, then at scale, and compares. */
async function leaksNothing(
  serve: Serve,
  app: string,
  work: (count: number) => Promise<void>,
  full: number,
): Promise<void> {
  await work(Math.max(5, times(full) / 10));
  const before = await footprint(serve, app);
  await work(times(full));
  await eventually(async () => {
    const now = await footprint(serve, app);
    return now.ongoing === 0 && now.queued === 0;
  });
  // A timer that is about to fire may be counted in one reading and not in the next.
  let after = await footprint(serve, app);
  const settled = eventually(async () => {
    after = await footprint(serve, app);
    return Object.keys(grown(before.resources, after.resources)).length === 0;
  }, SETTLE_MS);
  await settled.catch(() => {});
  expect(grown(before.resources, after.resources)).toEqual({});
  // Less than 100 bytes a call, and less than what the runtime's own caches vary by.
  expect(after.heapMib - before.heapMib).toBeLessThan(2 + (times(full) * 100) / 1_048_576);
}

async function inBatches(
  count: number,
  size: number,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  for (let at = 0; at < count; at += size) {
    await Promise.all(Array.from({ length: Math.min(size, count - at) }, (_, n) => work(at + n)));
  }
}

async function run(serve: Serve): Promise<Handle> {
  return await serve.run(basic.options({ restart: { maxCrashes: 1_000, maxDelayMs: 0 } }).bind());
}

describe('nothing stays behind', () => {
  test('after 100,000 calls', async () => {
    await using serve = forgetfulServe();
    const handle = await run(serve);
    const call = (n: number): Promise<unknown> => handle.echo.remote({ n, text: 'x'.repeat(50) });
    await leaksNothing(serve, 'Basic', (count) => inBatches(count, 500, call), 100_000);
  }, 180_000);

  test('after 1,000 cancellations, queued and running, by call and by signal', async () => {
    await using serve = forgetfulServe();
    const handle = await run(serve);
    const cancel = async (n: number): Promise<void> => {
      const abort = new AbortController();
      const call = handle.options({ signal: abort.signal }).echoLater.remote(n, 5);
      if (n % 2 === 0) call.cancel();
      else abort.abort();
      await call.catch(() => {});
    };
    await leaksNothing(serve, 'Basic', (count) => inBatches(count, 50, cancel), 1_000);
  }, 180_000);

  test('after 200 deaths of replicas', async () => {
    await using serve = forgetfulServe();
    const handle = await run(serve);
    const die = async (): Promise<void> => {
      await (handle.exit.remote(3) as Promise<unknown>).catch(() => {});
      await handle.remote();
    };
    await leaksNothing(serve, 'Basic', (count) => inBatches(count, 1, die), 200);
    expect(serve.status().apps['Basic']?.deployments['Basic']?.replicas).toHaveLength(1);
  }, 300_000);

  test('after 1,000 streams left half-read', async () => {
    await using serve = forgetfulServe();
    const handle = await run(serve);
    const leave = async (n: number): Promise<void> => {
      for await (const item of handle.count.remote(1_000)) if (item === n % 100) break;
    };
    await leaksNothing(serve, 'Basic', (count) => inBatches(count, 20, leave), 1_000);
  }, 180_000);

  test('after 10,000 aborted requests', async () => {
    await using serve = forgetfulServe();
    const middleware = serve.middleware(stallingIngress.bind());
    await middleware.ready();
    const server = createServer(middleware).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const abort = async (n: number): Promise<void> => {
      const sent = request({
        port,
        host: '127.0.0.1',
        method: n % 2 === 0 ? 'GET' : 'POST',
        path: '/',
        agent: false,
      });
      sent.on('error', () => {});
      const closed = new Promise((resolve) => sent.on('close', resolve));
      sent.flushHeaders();
      if (n % 2 === 1) sent.write('part of a body');
      if (n % 3 === 0) await once(sent, 'socket');
      else await new Promise((resolve) => setTimeout(resolve, 2));
      sent.destroy();
      await closed;
    };
    await leaksNothing(serve, 'StallingIngress', (count) => inBatches(count, 50, abort), 10_000);
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }, 300_000);
});
