import { expect, test } from 'vitest';
import type { Serve, ServeConfig } from '../../src/index.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { status } from '../support/until.ts';

/** Ray's `fruit_config.yaml`: the code says which stands there are, the config at which prices they sell. */
function config(prices: { mango: number; pear: number }): ServeConfig {
  return {
    apps: [
      {
        name: 'fruit_app',
        routePrefix: '/fruit',
        import: './test/acceptance/programs/fruit.ts:graph',
        deployments: [
          { name: 'MangoStand', numReplicas: 2, userConfig: { price: prices.mango } },
          { name: 'PearStand', userConfig: { price: prices.pear } },
        ],
      },
    ],
  };
}

const replicas = (serve: Serve) =>
  Object.values(serve.status().apps['fruit_app']?.deployments ?? {})
    .flatMap((deployment) => deployment.replicas.map(({ id }) => id))
    .sort();

test('fruit: a market in front of three stands, as a graph; prices change in place', async () => {
  await using serve = quietServe();
  await using server = await listen(serve.middleware());
  const ask = async (...order: [fruit: string, amount: number]): Promise<unknown> => {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(order) };
    return await (await fetch(`http://127.0.0.1:${server.port}/fruit`, init)).json();
  };
  await serve.deploy(config({ mango: 3, pear: 4 }));
  await status(serve, 'fruit_app', 'MangoStand', 'HEALTHY');
  expect(await Promise.all([ask('MANGO', 2), ask('ORANGE', 3), ask('PEAR', 1), ask('KIWI', 9)])).toEqual([
    6, 6, 4, -1,
  ]);
  const before = replicas(serve);

  await serve.deploy(config({ mango: 5, pear: 4 }));
  // On both of its replicas.
  const mangos = await Promise.all(Array.from({ length: 8 }, () => ask('MANGO', 1)));
  expect(mangos).toEqual(new Array(8).fill(5));
  expect(await ask('PEAR', 1)).toBe(4);
  expect(replicas(serve)).toEqual(before);

  // A price that its stand refuses does not get through; the others sell on.
  await expect(serve.deploy(config({ mango: 5, pear: -1 }))).rejects.toMatchObject({
    code: 'SERVE_DEPLOY_FAILED',
    deployment: 'PearStand',
    message: expect.stringContaining('a price must not be negative'),
  });
  expect(await ask('MANGO', 1)).toBe(5);
  expect(await ask('PEAR', 1)).toBe(4);
});
