import { expect, test } from 'vitest';
import { expectConsole } from '../../test/support/docs/console.ts';
import { startExample } from '../../test/support/example.ts';

test('Hono routes, validates and describes; a new deployment begins anew', async () => {
  await using example = await startExample('hono-ingress');
  await expectConsole('examples/hono-ingress/README.md', example.url);
  const get = async (path: string) => await (await fetch(example.url + path)).json();
  expect(await get('/Counter')).toEqual({ count: 0 });
  expect(await get('/Counter/incr')).toEqual({ count: 1 });
  expect(await get('/Counter/incr?by=4')).toEqual({ count: 5 });
  expect(await get('/Counter/decr')).toEqual({ count: 4 });
  expect((await fetch(`${example.url}/Counter/incr?by=many`)).status).toBe(400);
  expect((await fetch(`${example.url}/Counter/none`)).status).toBe(404);
  expect(await get('/Counter/openapi.json')).toMatchObject({
    servers: [{ url: '/Counter' }],
    paths: { '/incr': { get: { parameters: [{ name: 'by', in: 'query' }] } } },
  });
  expect(await (await fetch(`${example.url}/deploy`, { method: 'POST' })).json()).toEqual({ version: 3 });
  expect(await get('/Counter')).toEqual({ count: 0 });
});
