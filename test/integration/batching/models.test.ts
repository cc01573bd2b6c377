import { expect, test } from 'vitest';
import { SLOW, slowModels } from '../../fixtures/batching/slow-models.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { status } from '../../support/until.ts';

test('calls wait for the replica that holds their model, and hold up no call for another one', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const handle = await serve.run(slowModels.bind(shared.buffer));
  await status(serve, 'SlowModels', 'SlowModels', 'HEALTHY');
  const hot = handle.options({ multiplexedModelId: 'hot' });
  const other = handle.options({ multiplexedModelId: 'other' });
  const homes = [await hot.use.remote(), await other.use.remote()];
  expect(new Set(homes).size).toBe(2);

  const held = hot.hold.remote();
  await shared.atLeast(SLOW.running, 1);
  const waiting = [hot.use.remote(), hot.use.remote()];
  const cancelled = hot.use.remote();
  // The one for the hot model came first, and these are answered before it is.
  expect(await other.use.remote()).toBe(homes[1]);
  expect(await other.use.remote()).toBe(homes[1]);
  cancelled.cancel();
  await expect(cancelled).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });

  shared.set(SLOW.gate, 1);
  expect(await Promise.all([held, ...waiting])).toEqual([homes[0], homes[0], homes[0]]);
  expect(shared.get(SLOW.loads)).toBe(2);
});

test('a model is loaded once more when the replica that holds it dies, and its calls go there', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const handle = await serve.run(slowModels.bind(shared.buffer));
  await status(serve, 'SlowModels', 'SlowModels', 'HEALTHY');
  const hot = handle.options({ multiplexedModelId: 'hot' });
  const home = await hot.use.remote();
  const held = hot.hold.remote(true);
  await shared.atLeast(SLOW.running, 1);
  const waiting = hot.use.remote();
  shared.set(SLOW.gate, 1);
  await expect(held).rejects.toMatchObject({ code: 'SERVE_REPLICA_DIED' });
  expect(await waiting).not.toBe(home);
});
