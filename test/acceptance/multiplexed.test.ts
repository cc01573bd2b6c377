import express from 'express';
import { expect, test } from 'vitest';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { status } from '../support/until.ts';
import { HUB, hub, translator } from './programs/multiplexed.ts';

test('multiplexed: 51: a model is loaded once, and its calls go where it is', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const handle = await serve.run(hub.bind(shared.buffer));
  await status(serve, 'Hub', 'Hub', 'HEALTHY');
  const places = new Map<string, string>();
  for (let round = 0; round < 5; round++) {
    for (const model of ['a', 'b', 'c', 'd']) {
      const { answer, replica, asked } = await handle
        .options({ multiplexedModelId: model })
        .predict.remote('text');
      expect([answer, asked]).toEqual([`${model}: text`, model]);
      expect(places.get(model) ?? replica).toBe(replica);
      places.set(model, replica);
    }
  }
  // Two replicas of two models each: none was evicted.
  expect(shared.get(HUB.loads)).toBe(4);
  expect(new Set(places.values()).size).toBe(2);
});

test('multiplexed: 51: a holder that is busy keeps no call waiting: the other replica loads the model', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const handle = (await serve.run(hub.bind(shared.buffer))).options({ multiplexedModelId: 'a' });
  await status(serve, 'Hub', 'Hub', 'HEALTHY');
  const { replica: holder } = await handle.predict.remote('text');
  const held = [handle.hold.remote(), handle.hold.remote()];
  await shared.atLeast(HUB.running, 2);
  const { replica: other } = await handle.predict.remote('text');
  expect(other).not.toBe(holder);
  expect(shared.get(HUB.loads)).toBe(2);
  shared.set(HUB.gate, 1);
  expect(await Promise.all(held)).toEqual([holder, holder]);
});

test('multiplexed: over HTTP the app chooses the model, and a replica that ends disposes of its models', async () => {
  const shared = new Shared();
  {
    await using serve = quietServe();
    const app = express();
    const languageOf = (req: express.Request) => ({ multiplexedModelId: String(req.params['language']) });
    app.use('/:language', serve.middleware(hub.bind(shared.buffer), { call: languageOf }));
    await using server = await listen(app);
    const ask = async (language: string): Promise<string> => {
      const answer = await fetch(`http://127.0.0.1:${server.port}/${language}`, {
        method: 'POST',
        body: 'text',
        // A client cannot choose by itself.
        headers: { 'serve-multiplexed-model-id': 'secret' },
      });
      return await answer.text();
    };
    const answers = await Promise.all([ask('de'), ask('fr'), ask('de')]);
    expect(answers).toEqual(['de: text', 'fr: text', 'de: text']);
    expect(shared.get(HUB.disposed)).toBe(0);
  }
  expect(shared.get(HUB.loads)).toBeGreaterThanOrEqual(2);
  expect(shared.get(HUB.disposed)).toBe(shared.get(HUB.loads));
});

test('multiplexed: chained with composition', async () => {
  await using serve = quietServe();
  const handle = await serve.run(translator.bind(hub.bind(new Shared().buffer)));
  expect(await handle.translate.remote('es', 'hola')).toBe('es: hola');
});
