import { AsyncLocalStorage } from 'node:async_hooks';
import { createGunzip, gunzipSync, gzipSync } from 'node:zlib';
import compress from '@fastify/compress';
import cookie from '@fastify/cookie';
import type { FastifyInstance } from 'fastify';
import fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import type { Serve } from '../../../src/index.ts';
import { type FastifyServeOptions, fastifyServe } from '../../../src/shells/fastify.ts';
import { asFunction } from '../../fixtures/http/shapes.ts';
import { json, open, RawClient, send } from '../../support/http/client.ts';
import { calmServe, sharedApp } from '../every-framework/setup.ts';
import { makeHost, start } from './mount.ts';

const shared = sharedApp();

type Options = Partial<FastifyServeOptions>;

/** A Fastify app around the probe, for one test. */
async function hosted(
  build: (host: FastifyInstance, ours: (options?: Options) => FastifyServeOptions) => unknown,
  host = makeHost(),
) {
  await build(host, (options) => ({ app: shared.app, serve: shared.serve, ...options }));
  return start(host);
}

describe('the scope of the plugin', () => {
  test('a prefix, in a scope with a prefix, with parameters', async () => {
    await using host = await hosted((app, ours) =>
      app.register(async (scope) => scope.register(fastifyServe, ours({ prefix: '/models/:model/' })), {
        prefix: '/tenants/:tenant',
      }),
    );
    const seen = json(await send(host.port, '/tenants/a%20b/models/m/context?q'));
    expect(seen).toMatchObject({
      params: { tenant: 'a b', model: 'm' },
      mountPath: '/tenants/a%20b/models/m',
    });
    const { url } = json(await send(host.port, '/tenants/t/models/m/request/echo?q=/')) as { url: string };
    expect(url).toMatch(/^http:\/\/[^/]+\/request\/echo\?q=\/$/);
    expect((await send(host.port, '/tenants/t/models/')).status).toBe(404);
  });

  test('several apps beside the routes of the host, whose bodies are parsed as ever', async () => {
    await using host = await hosted(async (app, ours) => {
      await app.register(fastifyServe, ours({ prefix: '/a' }));
      await app.register(fastifyServe, { app: asFunction.bind(), prefix: '/b', serve: shared.serve });
      app.post('/c', async ({ body }) => ({ parsed: body }));
      app.get('/a/own', async () => 'own');
    });
    expect((await send(host.port, '/b/x')).text).toBe('function /x');
    expect((await send(host.port, '/b')).text).toBe('function /');
    expect((await send(host.port, '/b?q')).text).toBe('function /');
    expect((await send(host.port, '/bc')).status).toBe(404);
    expect((await send(host.port, '/a/own')).text).toBe('own');
    const posted = { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } };
    expect(json(await send(host.port, '/c', posted))).toEqual({ parsed: { a: 1 } });
    expect(json(await send(host.port, '/a/request/json', posted))).toEqual({ a: 1 });
  });

  test('fastify.serve is there for who registered it and within, not outside', async () => {
    const seen: Record<string, Serve | undefined> = {};
    const app = makeHost();
    await app.register(async (scope) => {
      await scope.register(fastifyServe, { serve: shared.serve, app: shared.app, prefix: '/x' });
      seen['own'] = scope.serve;
      await scope.register(async (child) => {
        await child.register(fastifyServe, { app: shared.app, prefix: '/y' });
        seen['child'] = child.serve;
      });
    });
    await app.register(async (sibling) => {
      seen['sibling'] = sibling.serve;
    });
    seen['outer'] = app.serve;
    expect(seen).toEqual({ own: shared.serve, child: shared.serve, sibling: undefined, outer: undefined });
    await app.close();
  });

  test('another instance where there is one: in a scope of its own, or not at all', async () => {
    await using other = calmServe();
    const app = makeHost();
    await app.register(fastifyServe, { serve: shared.serve, app: shared.app, prefix: '/x' });
    await app.register(async (scope) => {
      await scope.register(fastifyServe, { serve: other, prefix: '/y' });
      expect(scope.serve).toBe(other);
    });
    expect(app.serve).toBe(shared.serve);
    await expect(app.register(fastifyServe, { serve: other, prefix: '/z' })).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
    });
    await app.close();
  });

  test('without an app: all running apps by their route prefix, below that of the scope', async () => {
    await using serve = calmServe();
    await serve.run(asFunction.bind(), { routePrefix: '/fn' });
    await using host = await hosted((app) => app.register(fastifyServe, { serve, prefix: '/api' }));
    expect((await send(host.port, '/api/fn/x')).text).toBe('function /x');
    expect((await send(host.port, '/api/-/routes')).text).toBe('{"/fn":"asFunction"}');
    expect((await send(host.port, '/fn/x')).status).toBe(404);
  });

  test('an unknown option is named', async () => {
    const app = makeHost();
    const registered = app.register(fastifyServe, { app: shared.app, bodylimit: 1 } as FastifyServeOptions);
    await expect(registered).rejects.toThrow(/middleware\.bodylimit/);
    await app.close();
  });

  test('inject() works, as in the tests of Fastify’s users', async () => {
    const app = makeHost();
    await app.register(fastifyServe, { serve: shared.serve, app: shared.app, prefix: '/p' });
    const posted = await app.inject({ method: 'POST', url: '/p/request/json', payload: { a: 1 } });
    expect(posted.json()).toEqual({ a: 1 });
    expect((await app.inject('/p/kind/generator')).body).toBe('one,two');
    expect((await app.inject('/p/fail/error')).statusCode).toBe(500);
    await app.close();
  });
});

describe('what Fastify says of a request', () => {
  const headers = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'public.example:8443',
    'x-forwarded-for': '203.0.113.7',
    host: 'inner:3000',
  };
  const look = async (port: number) => ({
    url: (json(await send(port, '/request/echo?q', { headers })) as { url: string }).url,
    ip: (json(await send(port, '/context', { headers })) as { ip: string }).ip,
  });

  test.each([
    [false, 'http://inner:3000/request/echo?q', '127.0.0.1'],
    [true, 'https://public.example:8443/request/echo?q', '203.0.113.7'],
  ])('trustProxy: %s', async (trustProxy, url, ip) => {
    const app = fastify({ trustProxy, forceCloseConnections: true });
    await using host = await hosted((_app, ours) => app.register(fastifyServe, ours()), app);
    expect(await look(host.port)).toEqual({ url, ip });
  });

  test('hooks are given the request of Fastify', async () => {
    await using host = await hosted((app, ours) => {
      app.decorateRequest('user', '');
      app.addHook('onRequest', async (request) => Object.assign(request, { user: 'ada' }) && undefined);
      return app.register(
        fastifyServe,
        ours({
          locals: (request) => ({ user: Reflect.get(request, 'user'), route: request.routeOptions.url }),
          call: (request) => ({ tenant: String(request.headers['x-t']) }),
        }),
      );
    });
    const seen = json(await send(host.port, '/context', { headers: { 'x-t': 'acme' } }));
    expect(seen).toMatchObject({ locals: { user: 'ada', route: '/*' }, tenant: 'acme' });
  });
});

describe('hooks of the host', () => {
  test('onRequest sets headers, onSend changes them, onResponse sees the status', async () => {
    const seen: unknown[] = [];
    await using host = await hosted(async (app, ours) => {
      await app.register(cookie);
      app.addHook('onRequest', async (_request, reply) => {
        reply.header('x-host', 'yes').header('vary', 'Origin').setCookie('host', '1');
      });
      app.addHook('onSend', async (_request, reply, payload) => {
        await new Promise((resolve) => setImmediate(resolve));
        reply.header('x-sent', typeof payload === 'string' ? payload.length : 'stream');
        return payload;
      });
      app.addHook('onResponse', async (request, reply) => void seen.push([request.url, reply.statusCode]));
      await app.register(fastifyServe, ours());
    });
    const answer = await send(host.port, '/kind/cookies');
    expect(answer.headers).toMatchObject({ 'x-host': 'yes', vary: 'Origin' });
    expect(answer.headers['set-cookie']?.toSorted()).toEqual([
      'host=1; SameSite=Lax',
      'one=1; Path=/',
      'two=2; HttpOnly',
    ]);
    expect((await send(host.port, '/kind/number')).headers['x-sent']).toBe('3');
    const streamed = await send(host.port, '/kind/generator');
    expect(streamed).toMatchObject({ text: 'one,two', headers: { 'x-sent': 'stream' } });
    await send(host.port, '/fail/exposed');
    expect(seen).toEqual([
      ['/kind/cookies', 200],
      ['/kind/number', 200],
      ['/kind/generator', 200],
      ['/fail/exposed', 418],
    ]);
  });

  test('an async onSend does not hold up the head of a stream for ever', async () => {
    await using host = await hosted((app, ours) => {
      app.addHook('onSend', async () => new Promise((resolve) => setImmediate(resolve)));
      return app.register(fastifyServe, ours());
    });
    using client = await RawClient.connect(host.port);
    client.head('GET /stream/late-first?key=fastify-late HTTP/1.1', 'Host: h');
    await client.until('text/event-stream');
    await shared.probe.open.remote('fastify-late');
    await client.until('at last');
  });

  test('one that breaks off the answer: Fastify’s error, and the next request works', async () => {
    await using host = await hosted((app, ours) => {
      app.addHook('onSend', async ({ url }) => {
        if (url === '/kind/text') throw new Error('no');
      });
      return app.register(fastifyServe, ours());
    });
    expect(await send(host.port, '/kind/text')).toMatchObject({ status: 500 });
    expect((await send(host.port, '/kind/number')).text).toBe('0.5');
  });

  test('@fastify/compress: whole answers, and streams that end early', async () => {
    await using host = await hosted(async (app, ours) => {
      await app.register(compress, { threshold: 0, encodings: ['gzip'] });
      await app.register(fastifyServe, ours());
    });
    const headers = { 'accept-encoding': 'gzip' };
    const whole = await send(host.port, '/kind/text', { headers });
    expect(whole.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(whole.body).toString()).toBe('grüße');
    const large = await send(host.port, '/kind/large-bytes', { headers });
    const inflated = large.headers['content-encoding'] === 'gzip' ? gunzipSync(large.body) : large.body;
    expect(inflated).toHaveLength(10 * 1_048_576);
    const pieces = await open(host.port, '/kind/generator', { headers });
    expect(Buffer.concat(await pieces.pipe(createGunzip()).toArray()).toString()).toBe('one,two');
    const leaving = await open(host.port, '/stream/ticking?key=fastify-zipped', { headers });
    leaving.destroy();
    await shared.probe.until.remote('fastify-zipped:finally');
  });

  test('one that refuses a request: the app never hears of it', async () => {
    await using host = await hosted((app, ours) => {
      app.addHook('preHandler', async (_request, reply) => reply.code(401).send({ who: 'are you' }));
      return app.register(fastifyServe, ours());
    });
    expect(await send(host.port, '/wait/x?key=refused')).toMatchObject({ status: 401 });
    expect(await shared.probe.count.remote('refused:started')).toBe(0);
  });

  test('security row 2: preParsing decodes a body: the app gets it decoded, under the limit', async () => {
    await using host = await hosted((app, ours) => {
      app.addHook('preParsing', async (_request, _reply, payload) => payload.pipe(createGunzip()));
      return app.register(fastifyServe, ours({ bodyLimit: 1_000 }));
    });
    const post = (body: Uint8Array) =>
      send(host.port, '/request/echo', { method: 'POST', body, headers: { 'content-encoding': 'gzip' } });
    const echo = json(await post(gzipSync('inflated'))) as { headers: [string, string][]; body: string };
    expect(Buffer.from(echo.body, 'base64').toString()).toBe('inflated');
    expect(new Map(echo.headers).has('content-encoding')).toBe(false);
    // A few bytes that become many, and some that become nothing.
    expect((await post(gzipSync(Buffer.alloc(5_000_000)))).status).toBe(413);
    expect(json(await post(Buffer.from('no gzip')))).toMatchObject({
      status: 400,
      code: 'SERVE_BAD_REQUEST',
    });
    expect((await post(gzipSync('again'))).status).toBe(200);
  });
});

describe('handlers of the host', () => {
  test("onError: 'next' hands errors to Fastify's", async () => {
    await using host = await hosted((app, ours) => {
      app.setErrorHandler((error: Error & Record<string, unknown>, _request, reply) => {
        const { statusCode, code, expose, message } = error;
        return reply.code(200).send({ statusCode, code, expose, message });
      });
      return app.register(fastifyServe, ours({ onError: 'next' }));
    });
    const get = async (name: string) => json(await send(host.port, `/fail/${name}`));
    expect(await get('exposed')).toEqual({
      statusCode: 418,
      code: 'TEAPOT',
      expose: true,
      message: 'no more tea',
    });
    expect(await get('SERVE_TIMEOUT')).toMatchObject({ statusCode: 504, code: 'SERVE_TIMEOUT' });
    await expect(send(host.port, '/stream/breaking')).rejects.toThrow('aborted');
  });

  test('its own error handler sets status and headers', async () => {
    await using host = await hosted((app, ours) => app.register(fastifyServe, ours({ onError: 'next' })));
    const refused = await send(host.port, '/fail/SERVE_BACKPRESSURE');
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
  });

  test('passthrough asks its 404 handler; without it 404 is the app’s', async () => {
    const storage = new AsyncLocalStorage<string>();
    await using host = await hosted(async (app, ours) => {
      app.setNotFoundHandler(async () => ({ nobody: storage.getStore() }));
      app.addHook('onRequest', (request, _reply, done) => storage.run(request.url, done));
      await app.register(fastifyServe, ours({ prefix: '/a', passthrough: true }));
      await app.register(fastifyServe, ours({ prefix: '/b' }));
    });
    const passed = await send(host.port, '/a/none');
    expect(json(passed)).toEqual({ nobody: '/a/none' });
    expect(passed.headers['x-request-id']).toBeUndefined();
    expect(json(await send(host.port, '/b/none'))).toEqual({ missing: '/none' });
  });
});
