import express from 'express';
import { expect, test } from 'vitest';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { model, network, responder } from './programs/batching-guide.ts';

test('batching_guide: requests of many clients run together', async () => {
  await using serve = quietServe();
  const app = express();
  app.use(
    serve.middleware(model.options({ userConfig: { maxBatchSize: 4, batchWaitTimeoutMs: 10_000 } }).bind()),
  );
  await using server = await listen(app);
  const answers = await Promise.all(
    Array.from({ length: 8 }, async (_, n) => {
      const answer = await fetch(`http://127.0.0.1:${server.port}`, { method: 'POST', body: String(n) });
      return (await answer.json()) as { value: number; batch: number };
    }),
  );
  expect(answers.map(({ value }) => value)).toEqual([0, 2, 4, 6, 8, 10, 12, 14]);
  // Two batches of four, however the requests came in.
  expect(answers.map(({ batch }) => batch)).toEqual(new Array(8).fill(4));
});

test('batching_guide: the user config changes the batch without a restart', async () => {
  await using serve = quietServe();
  const config = { maxBatchSize: 2, batchWaitTimeoutMs: 10_000 };
  const run = (maxBatchSize: number) =>
    serve.run(model.options({ userConfig: { ...config, maxBatchSize } }).bind(), { name: 'model' });
  const sizes = async (handle: Awaited<ReturnType<typeof run>>, calls: number) =>
    (await Promise.all(Array.from({ length: calls }, (_, n) => handle.predict.remote(n)))).map(
      ({ batch }) => batch,
    );
  expect(await sizes(await run(2), 4)).toEqual([2, 2, 2, 2]);
  const replicas = () => serve.status().apps['model']?.deployments['Model']?.replicas.map(({ id }) => id);
  const before = replicas();
  expect(await sizes(await run(3), 3)).toEqual([3, 3, 3]);
  expect(replicas()).toEqual(before);
});

test('batching_guide: a batched generator streams to each client its own', async () => {
  await using serve = quietServe();
  const app = express();
  app.use(serve.middleware(responder.bind()));
  await using server = await listen(app);
  const texts = await Promise.all(
    [1, 4, 2].map(async (max) => (await fetch(`http://127.0.0.1:${server.port}/?max=${max}`)).text()),
  );
  expect(texts).toEqual(['0 ', '0 1 2 3 ', '0 1 ']);
});

test('batching_guide: a batch holds as much as fits by weight', async () => {
  await using serve = quietServe();
  const handle = await serve.run(network.bind());
  const results = await Promise.allSettled(
    [60, 30, 50, 101].map((nodes) => handle.predict.remote({ nodes })),
  );
  expect(results).toMatchObject([
    { value: { nodes: 60, together: 90, callers: 2 } },
    { value: { nodes: 30, together: 90, callers: 2 } },
    { value: { nodes: 50, together: 50, callers: 1 } },
    {
      reason: { message: expect.stringContaining('an item of size 101 is greater than maxBatchSize (100)') },
    },
  ]);
});
