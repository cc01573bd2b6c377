import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { type Basic, basic } from '../fixtures/calls/basic.ts';
import { collected } from '../support/garbage.ts';
import { quietServe } from '../support/quiet.ts';
import { event } from '../support/until.ts';

test('an app keeps no async context: neither that of the run that deployed it nor that of a call', async () => {
  await using serve = quietServe();
  const stores = new AsyncLocalStorage<object>();
  const within = async (work: () => Promise<unknown>): Promise<WeakRef<object>> => {
    const store = { user: 'u' };
    await stores.run(store, work);
    return new WeakRef(store);
  };
  await collected(await within(() => serve.run(basic.bind(), { routePrefix: null })));
  const handle = serve.handle<typeof Basic>('Basic').options({ idempotencyKey: 'k' });
  await collected(await within(() => handle.echo.remote({ large: true })));
});

test('a failure of a name that is not there is told, and not kept', async () => {
  await using serve = quietServe();
  const fault = event(serve, 'fault', ({ app }) => app === 'made-up');
  void serve.handle<typeof Basic>('Basic', { app: 'made-up' }).remote();
  await fault;
  await serve.run(basic.bind(), { name: 'made-up', routePrefix: null });
  const counted = 'serve_unobserved_failures_total{app="made-up",deployment="Basic"}';
  expect(await serve.metrics()).toContain(`${counted} 0`);
});
