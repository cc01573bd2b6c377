import { expect, test } from 'vitest';
import type { ReplicaStatus, Serve } from '../../src/index.ts';
import { RANKED, ranked } from '../fixtures/updates/ranked.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { steadyLoad } from '../support/steady-load.ts';
import { event, eventually, status } from '../support/until.ts';

const replicas = (serve: Serve): readonly ReplicaStatus[] =>
  serve.status().apps['app']?.deployments['Ranked']?.replicas ?? [];

const ranks = (serve: Serve): number[] =>
  replicas(serve)
    .map(({ rank }) => rank)
    .sort();

/** The value of the replicas' gauge by rank. */
async function gauges(serve: Serve): Promise<Record<string, number>> {
  const lines = (await serve.metrics()).matchAll(/^ranked_version\{.*rank="(\d+)"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, rank = '', value]) => [rank, Number(value)]));
}

const app = (numReplicas: number, version = 1, shared = new Shared()) =>
  ranked.options({ numReplicas, maxOngoingRequests: 1 }).bind(version, shared.buffer);

test('a scale-down leaves no holes: ranks are 0…n−1 again, and gauges go along', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const handle = await serve.run(app(3, 1, shared), { name: 'app' });
  await status(serve, 'app', 'Ranked', 'HEALTHY');
  expect(ranks(serve)).toEqual([0, 1, 2]);
  await eventually(async () => Object.keys(await gauges(serve)).length === 3);
  const calls = [handle.hold.remote(), handle.hold.remote()];
  await shared.atLeast(RANKED.held, 2);
  // The one without a call goes.
  const idle = replicas(serve).find(({ ongoing }) => ongoing === 0);
  const stopped = event(serve, 'replica', ({ state }) => state === 'STOPPED');
  await serve.run(app(2, 1, shared), { name: 'app' });
  expect((await stopped).replica).toBe(idle?.id);
  await eventually(() => ranks(serve).join() === '0,1');
  expect(await gauges(serve)).toEqual({ 0: 1, 1: 1 });
  shared.set(RANKED.gate, 1);
  await Promise.all(calls);
  // What a replica thinks is what the status says, as soon as it has heard of it.
  const known = Object.fromEntries(replicas(serve).map(({ id, rank }) => [id, rank]));
  await eventually(async () => {
    const heard = await handle.broadcast('call');
    return heard.length === 2 && heard.every(({ replica, rank }) => rank === known[replica]);
  });
});

test('in a rolling update no two replicas have one rank, and no gauge is lost or mixed up', async () => {
  await using serve = quietServe();
  await serve.run(app(3), { name: 'app' });
  await status(serve, 'app', 'Ranked', 'HEALTHY');
  await eventually(async () => Object.keys(await gauges(serve)).length === 3);
  let [fewest, doubles] = [Infinity, 0];
  serve.on('replica', () => {
    doubles += replicas(serve).length - new Set(ranks(serve)).size;
  });
  await steadyLoad(
    1,
    async () => {
      const seen = Object.keys(await gauges(serve)).length;
      fewest = Math.min(fewest, seen);
      await new Promise((resolve) => setImmediate(resolve));
      return '';
    },
    async () => {
      await serve.run(app(3, 2), { name: 'app' });
      await eventually(() => ranks(serve).join() === '0,1,2');
    },
  );
  expect([fewest, doubles]).toEqual([3, 0]);
  expect(await gauges(serve)).toEqual({ 0: 2, 1: 2, 2: 2 });
});
