import middie from '@fastify/middie';
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify';
import { describe, expect, test } from 'vitest';
import { json, send } from '../../support/http/client.ts';
import { sharedApp } from '../every-framework/setup.ts';
import { start } from './mount.ts';

const shared = sharedApp();
const middleware = (options?: Parameters<typeof shared.serve.middleware>[1]) =>
  shared.serve.middleware(shared.app, options);

async function hosted(
  build: (host: FastifyInstance) => unknown,
  { hook, ...options }: FastifyServerOptions & { hook?: 'preHandler' } = {},
) {
  const host = fastify({ forceCloseConnections: true, ...options });
  await host.register(middie, hook === undefined ? {} : { hook });
  await build(host);
  return start(host);
}

describe('trustProxy', () => {
  const headers = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'public.example',
    'x-forwarded-for': '203.0.113.7',
    host: 'inner:3000',
  };

  test.each([
    [false, 'http://inner:3000/request/echo', '127.0.0.1'],
    [true, 'https://public.example/request/echo', '203.0.113.7'],
  ])('%s', async (trustProxy, url, ip) => {
    await using host = await hosted((app) => app.use('/app', middleware()), { trustProxy });
    expect(json(await send(host.port, '/app/request/echo', { headers }))).toMatchObject({ url });
    expect(json(await send(host.port, '/app/context', { headers }))).toMatchObject({ ip });
  });
});

describe('bodies', () => {
  const post = (port: number, type: string, body: string) =>
    send(port, '/request/echo', { method: 'POST', headers: { 'content-type': type }, body });
  const text = async (answer: ReturnType<typeof post>) =>
    Buffer.from((json(await answer) as { body: string }).body, 'base64').toString();

  test('in front of the parsers (the default) they arrive as they are', async () => {
    await using host = await hosted((app) => app.use(middleware()));
    expect(await text(post(host.port, 'application/json', '{ "a": 1 }'))).toBe('{ "a": 1 }');
    expect(await text(post(host.port, 'application/x-www-form-urlencoded', 'a=1'))).toBe('a=1');
  });

  test('behind the parsers they are written anew', async () => {
    const build = (app: FastifyInstance) => {
      app.addContentTypeParser('application/x-bytes', { parseAs: 'buffer' }, (_request, body, done) =>
        done(null, body),
      );
      // As those of multipart forms do.
      app.addContentTypeParser('application/x-stream', (_request, payload, done) => done(null, payload));
      app.use(middleware());
      app.all('/*', async () => 'behind');
    };
    await using host = await hosted(build, { hook: 'preHandler' });
    expect(await text(post(host.port, 'application/json', '{ "a": 1 }'))).toBe('{"a":1}');
    expect(await text(post(host.port, 'text/plain', 'grüße'))).toBe('grüße');
    expect(await text(post(host.port, 'application/x-bytes', 'bytes'))).toBe('bytes');
    expect(await text(post(host.port, 'application/x-stream', 'x'.repeat(90_000)))).toHaveLength(90_000);
    // Fastify knows what it can parse.
    expect((await post(host.port, 'application/x-unknown', 'x')).status).toBe(415);
  });
});

describe('what comes behind', () => {
  test('errors are for its error handler, with status and headers', async () => {
    await using host = await hosted((app) => app.use(middleware({ onError: 'next' })));
    const refused = await send(host.port, '/fail/SERVE_BACKPRESSURE');
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
    expect(json(await send(host.port, '/fail/exposed'))).toMatchObject({ statusCode: 418, code: 'TEAPOT' });
  });

  test('its routes and its 404 are asked for what the app does not know', async () => {
    await using host = await hosted((app) => {
      app.use(middleware({ passthrough: true }));
      app.post('/mine', async ({ body }) => ({ mine: body }));
    });
    const headers = { 'content-type': 'application/json' };
    const mine = await send(host.port, '/mine', { method: 'POST', headers, body: '{"a":1}' });
    expect(json(mine)).toEqual({ mine: { a: 1 } });
    expect(mine.headers['x-request-id']).toBeUndefined();
    expect(json(await send(host.port, '/none'))).toMatchObject({ statusCode: 404 });
  });

  test('onResponse runs, though Fastify has not answered', async () => {
    const seen: number[] = [];
    await using host = await hosted((app) => {
      app.addHook('onResponse', async (_request, reply) => void seen.push(reply.statusCode));
      app.use(middleware());
    });
    await send(host.port, '/kind/response');
    await expect.poll(() => seen).toEqual([201]);
  });

  test('a scope with a prefix is a mount', async () => {
    await using host = await hosted((app) =>
      app.register(
        async (scope) => {
          scope.use('/app', middleware());
          // Hooks of a scope run for its routes alone.
          scope.all('/*', async () => 'behind');
        },
        { prefix: '/scope' },
      ),
    );
    expect(json(await send(host.port, '/scope/app/context'))).toMatchObject({ mountPath: '/scope/app' });
  });
});
