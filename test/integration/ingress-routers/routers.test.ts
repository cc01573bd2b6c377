import Koa from 'koa';
import mount from 'koa-mount';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { h3Router, honoRouter, openApiRouter, ownRouter } from '../../fixtures/http/routers.ts';
import { type Answer, json, type SendOptions, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { calmServe, type Mounted } from '../every-framework/setup.ts';

const serve = calmServe();
let server: Mounted;

/** Each router below a mount path that it knows nothing of. */
beforeAll(async () => {
  const host = new Koa();
  host.use(mount('/hono', serve.middleware(honoRouter.bind('hi'))));
  host.use(mount('/openapi', serve.middleware(openApiRouter.bind())));
  host.use(mount('/h3', serve.middleware(h3Router.bind())));
  host.use(mount('/own', serve.middleware(ownRouter.bind())));
  server = await listen(host.callback());
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await serve.close();
});

const get = (path: string, options?: SendOptions): Promise<Answer> => send(server.port, path, options);
const post = (path: string, body: string, type = 'application/json'): Promise<Answer> =>
  get(path, { method: 'POST', body, headers: { 'content-type': type } });

describe('Hono', () => {
  test('routes with parameters and queries, nested routers and its own 404', async () => {
    expect(json(await get('/hono/users/a%20b/posts/7?q=1&q=2'))).toEqual({
      id: 'a b',
      post: '7',
      q: ['1', '2'],
    });
    expect(await get('/hono/users/a/posts/x')).toMatchObject({
      status: 404,
      text: 'Hono knows no such route',
    });
    expect((await get('/hono/nested/deep')).text).toBe('/nested/deep');
    expect((await get('/hono/greet/you')).text).toBe('hi you');
  });

  test('middleware: CORS, its preflight, and headers set behind the route', async () => {
    const headers = { origin: 'https://example.com', 'access-control-request-method': 'POST' };
    const preflight = await get('/hono/json', { method: 'OPTIONS', headers });
    expect(preflight).toMatchObject({
      status: 204,
      headers: { 'access-control-allow-origin': 'https://example.com' },
    });
    const before = Number((await get('/hono/greet/a')).headers['x-requests']);
    const after = Number((await get('/hono/greet/b')).headers['x-requests']);
    expect(after).toBe(before + 1);
  });

  test('bodies: JSON, forms, and a body that is broken', async () => {
    expect(json(await post('/hono/json', '{"a":1}'))).toEqual({ got: { a: 1 }, type: 'application/json' });
    const form = await post('/hono/form', 'a=1&b=x+y', 'application/x-www-form-urlencoded');
    expect(json(form)).toEqual({ a: '1', b: 'x y' });
  });

  test('redirects below the mount, streams, errors and the context of the call', async () => {
    const moved = await fetch(`http://127.0.0.1:${server.port}/hono/moved`);
    expect([moved.url.endsWith('/hono/greet/moved'), await moved.text()]).toEqual([true, 'hi moved']);
    const streamed = await get('/hono/stream');
    expect(streamed).toMatchObject({ text: 'one,two', headers: { 'transfer-encoding': 'chunked' } });
    expect(await get('/hono/teapot')).toMatchObject({ status: 418, text: 'tea' });
    const seen = await get('/hono/context', { headers: { 'x-request-id': 'mine' } });
    expect(json(seen)).toEqual({ id: 'mine', aborted: false });
    expect(await get('/hono/greet/head', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  });
});

describe('@hono/zod-openapi', () => {
  test('validates parameters and bodies', async () => {
    const added = await post('/openapi/items/7', '{"name":"ab","more":1}');
    expect(added.status).toBe(201);
    expect(json(added)).toEqual({ id: 7, name: 'ab' });
    for (const refused of [
      await post('/openapi/items/x', '{"name":"ab"}'),
      await post('/openapi/items/7', '{"name":"a"}'),
    ]) {
      expect(refused.status).toBe(400);
      expect(json(refused)).toMatchObject({ success: false });
    }
  });

  test('describes itself', async () => {
    const document = { openapi: '3.1.0', paths: { '/items/{id}': { post: { responses: { 201: {} } } } } };
    expect(json(await get('/openapi/doc'))).toMatchObject(document);
  });
});

describe('h3', () => {
  test('routes, parses, answers with values, and refuses', async () => {
    const user = await get('/h3/users/ada?q=1');
    expect(json(user)).toEqual({ id: 'ada', q: '1' });
    expect(user.headers['x-h3']).toBe('yes');
    expect(json(await post('/h3/json', '{"a":1}'))).toEqual({ got: { a: 1 } });
    expect((await get('/h3/none')).status).toBe(404);
  });
});

describe('one of your own', () => {
  test('answers, and fails as any ingress does', async () => {
    expect((await get('/own/hello')).text).toBe('hello');
    expect((await post('/own/upper', 'grüße', 'text/plain')).text).toBe('GRÜSSE');
    expect(await get('/own/none')).toMatchObject({ status: 404, text: 'own 404' });
    const failed = await get('/own/fails');
    expect(failed.status).toBe(418);
    expect(json(failed)).toMatchObject({ title: 'no tea' });
  });
});
