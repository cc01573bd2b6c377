import express from 'express';
import { expect, test } from 'vitest';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { eventually } from '../support/until.ts';
import { slowModel, WORK } from './programs/load-shedding.ts';

test('load_shedding: two run, two wait, the rest of the flood is told to come back, and then it works again', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const middleware = serve.middleware(slowModel.bind(shared.buffer));
  const app = express();
  app.use(middleware);
  await middleware.ready();
  await using server = await listen(app);
  const request = () => fetch(`http://127.0.0.1:${server.port}/`);

  const flood = Array.from({ length: 20 }, request);
  const refused: Response[] = [];
  for (const response of flood) void response.then((answer) => answer.status === 503 && refused.push(answer));
  await eventually(() => refused.length === 16);
  for (const answer of refused) {
    const wait = Number(answer.headers.get('retry-after'));
    expect(wait).toBeGreaterThanOrEqual(1);
    expect(wait).toBeLessThanOrEqual(45);
    expect(await answer.json()).toMatchObject({ status: 503, code: 'SERVE_BACKPRESSURE' });
  }
  expect(serve.status().apps['SlowDeployment']?.deployments['SlowDeployment']).toMatchObject({
    queued: 2,
    replicas: [{ ongoing: 2 }],
  });

  shared.set(WORK.gate, 1);
  const answers = await Promise.all(flood);
  const served = answers.filter(({ status }) => status === 200);
  expect(await Promise.all(served.map((answer) => answer.text()))).toEqual(Array(4).fill('done'));
  expect([shared.get(WORK.started), shared.get(WORK.peak)]).toEqual([4, 2]);
  expect((await request()).status).toBe(200);
});
