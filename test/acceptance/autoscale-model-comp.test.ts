import express from 'express';
import { expect, test } from 'vitest';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { eventually } from '../support/until.ts';
import { app as bound, WORK } from './programs/autoscale-model-comp.ts';

test('autoscale_model_comp_example: two models behind one driver scale apart, each by its own load', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const middleware = serve.middleware(bound(shared.buffer));
  const app = express();
  app.use(middleware);
  await using server = await listen(app);
  await middleware.ready();
  const replicas = (name: string) =>
    serve.status().apps['Driver']?.deployments[name]?.replicaStates['RUNNING'] ?? 0;
  const scaling = (name: string) => serve.status().apps['Driver']?.deployments[name]?.scaling;
  const get = async (query = '') => (await fetch(`http://127.0.0.1:${server.port}/${query}`)).text();

  const heavy = Array.from({ length: 8 }, () => get());
  const light = get('?light');
  await eventually(() => replicas('HeavyLoad') === 4);
  await shared.atLeast(WORK.light, 1);
  // Eight calls, two per replica; the sibling has one to do and stays as it is.
  await eventually(() => {
    const inputs = scaling('HeavyLoad')?.inputs;
    return inputs?.running === 4 && inputs.queued === 0;
  });
  expect(scaling('HeavyLoad')).toMatchObject({ to: 4, desired: 4 });
  expect(replicas('LightLoad')).toBe(1);
  expect(replicas('Driver')).toBe(1);

  shared.set(WORK.gate, 1);
  expect(await Promise.all([...heavy, light])).toEqual(new Array(9).fill('done'));
  await eventually(() => replicas('HeavyLoad') === 1);
  expect(replicas('LightLoad')).toBe(1);
});
