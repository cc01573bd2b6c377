import { expect, test } from 'vitest';
import { basic } from '../fixtures/calls/basic.ts';
import { child, inlineChild, parent } from '../fixtures/graphs/order.ts';
import { plain } from '../fixtures/http/answering.ts';
import { send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { eventually } from '../support/until.ts';

type Quiet = ReturnType<typeof quietServe>;

function apps(serve: Quiet): string[] {
  return Object.keys(serve.status().apps);
}

/** Warnings, but for the one about the machine. */
function warnings({ log }: Quiet): string[] {
  const messages = log.records.filter(({ level }) => level === 'warn').map(({ message }) => message);
  return messages.filter((message) => !message.startsWith('more replicas than cpus'));
}

test('a handle before the middleware is one to the deployment of the app that holds it', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const bound = child.bind(shared.buffer);
  const handle = serve.handle(bound);
  const early = handle.where.remote();
  const middleware = serve.middleware(parent.bind(bound));
  await middleware.ready();
  await eventually(() => apps(serve).length === 1);
  expect(apps(serve)).toEqual(['Parent']);
  const where = await handle.where.remote();
  expect(where).toMatch(/^Parent\/Child#/);
  expect(await early).toBe(where);
  await using host = await listen(middleware);
  expect((await send(host.port, '/')).text).toBe(where);
  expect(await serve.handle(bound).where.remote()).toBe(where);
  expect(shared.get(0)).toBe(1);
  expect(warnings(serve)).toEqual([]);
});

test('one that serves already goes on until the app can, and finishes its calls', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const bound = child.bind(shared.buffer);
  const handle = serve.handle(bound);
  expect(await handle.where.remote()).toMatch(/^Child\/Child#/);
  const slow = handle.slow.remote(shared.buffer);
  await shared.atLeast(1, 1);
  await serve.run(parent.bind(bound), { routePrefix: null });
  expect(await handle.where.remote()).toMatch(/^Parent\/Child#/);
  shared.add(2);
  expect(await slow).toMatch(/^Child\/Child#/);
  await eventually(() => apps(serve).length === 1);
  expect(apps(serve)).toEqual(['Parent']);
});

test('the same for a deployment that is inline', async () => {
  await using serve = quietServe();
  const bound = inlineChild.bind(new Shared().buffer);
  const handle = serve.handle(bound);
  const early = handle.where.remote();
  await serve.run(parent.bind(bound), { routePrefix: null });
  expect(await early).toMatch(/^(Parent|InlineChild)\/InlineChild/);
  expect(await handle.where.remote()).toMatch(/^Parent\/InlineChild/);
});

test('a handle works on after its app was deleted and deployed again by handle', async () => {
  await using serve = quietServe();
  const bound = child.bind(new Shared().buffer);
  serve.handle(bound);
  await serve.run(parent.bind(bound), { routePrefix: null });
  await eventually(() => apps(serve).length === 1);
  await serve.delete('Parent');
  expect(await serve.handle(bound).where.remote()).toMatch(/^Child\/Child#/);
});

test('two apps that are deployed by name and hold one bound deployment are named in a warning', async () => {
  await using serve = quietServe();
  const bound = child.bind(new Shared().buffer);
  await serve.run(parent.bind(bound), { name: 'first', routePrefix: null });
  await serve.run(parent.bind(bound), { name: 'second', routePrefix: null });
  expect(warnings(serve)).toEqual([expect.stringMatching(/^apps 'first' and 'second' hold the same bound/)]);
});

test('apps that answer no HTTP take no prefix', async () => {
  await using serve = quietServe();
  const first = await serve.run(plain.bind(), { name: 'first' });
  const second = await serve.run(plain.bind(), { name: 'second' });
  expect([await first.work.remote(), await second.work.remote()]).toEqual(['worked', 'worked']);
  await serve.run(basic.bind(), { name: 'web' });
  const prefixes = Object.values(serve.status().apps).map(({ routePrefix }) => routePrefix);
  expect(prefixes).toEqual([null, null, '/']);
  await expect(serve.run(basic.bind(), { name: 'other' })).rejects.toMatchObject({
    code: 'SERVE_INVALID_OPTION',
    message: expect.stringContaining("belongs to app 'web'"),
  });
});

test('nor when they are deployed at the same time', async () => {
  await using serve = quietServe();
  await Promise.all([
    serve.run(plain.bind(), { name: 'first' }),
    serve.run(plain.bind(), { name: 'second' }),
    serve.run(basic.bind(), { name: 'web' }),
  ]);
  expect(serve.status().apps['web']?.routePrefix).toBe('/');
  expect(warnings(serve)).toEqual([]);
});
