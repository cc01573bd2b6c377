import Fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import type { BoundDeployment } from '../../src/index.ts';
import { fastifyServe } from '../../src/shells/fastify.ts';
import { asker, hidden, hiddenTalker, plain, plainInline } from '../fixtures/http/answering.ts';
import { calmServe, recorder } from '../integration/every-framework/setup.ts';
import { json, send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { SocketClient } from '../support/http/socket-client.ts';

/** What the types refuse to expose. */
const silent: BoundDeployment<unknown> = plain.bind();

const FAILED = {
  code: 'SERVE_DEPLOY_FAILED',
  message:
    'Plain cannot be exposed: it has neither call(request), fetch(request) nor websocket(socket, request)',
};

describe('an ingress without call, fetch and websocket', () => {
  test('runs, and is called by handle and by other deployments', async () => {
    await using serve = calmServe();
    const handle = await serve.run(plain.bind());
    expect(await handle.work.remote()).toBe('worked');
    await using host = await listen(serve.middleware(asker.bind(plain.bind())));
    expect((await send(host.port, '/')).text).toBe('worked');
  });

  test.each([
    ['in a thread', silent],
    ['inline', plainInline.bind() as BoundDeployment<unknown>],
  ])('middleware(app) says so, %s: ready() rejects, requests get 503', async (_where, app) => {
    const { logger, records } = recorder();
    await using serve = calmServe(logger);
    const middleware = serve.middleware(app);
    await using host = await listen(middleware);
    await expect(middleware.ready()).rejects.toMatchObject(FAILED);
    for (const path of ['/', '/a'])
      expect(json(await send(host.port, path))).toMatchObject({ status: 503, code: FAILED.code });
    expect(records.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(records.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('requests that came before the replica was there get 503, too', async () => {
    await using serve = calmServe();
    await using host = await listen(serve.middleware(silent));
    const early = await Promise.all([send(host.port, '/'), send(host.port, '/b')]);
    expect(early.map(({ status }) => status)).toEqual([503, 503]);
  });

  test('fastify.ready() rejects', async () => {
    await using serve = calmServe();
    const host = Fastify();
    host.register(fastifyServe, { serve, app: silent, prefix: '/silent' });
    await expect(host.ready()).rejects.toMatchObject(FAILED);
    await host.close();
  });

  test('middleware() without an app skips it with one warning, and serves the others', async () => {
    const { logger, records } = recorder();
    await using serve = calmServe(logger);
    await serve.run(plain.bind(), { routePrefix: '/asker/plain' });
    await serve.run(asker.bind(plain.bind()), { name: 'asker', routePrefix: '/asker' });
    const middleware = serve.middleware();
    await middleware.ready();
    await using host = await listen(middleware);
    expect((await send(host.port, '/asker')).text).toBe('worked');
    expect((await send(host.port, '/asker/plain')).text).toBe('worked');
    expect(json(await send(host.port, '/-/routes'))).toEqual({ '/asker': 'asker' });
    const warnings = records.filter(({ message }) => message.includes('not exposed'));
    expect(warnings).toMatchObject([
      { level: 'warn', message: `app 'Worker' is not exposed: ${FAILED.message}` },
    ]);
  });
});

describe('methods that a constructor makes', () => {
  test('answer HTTP', async () => {
    await using serve = calmServe();
    const middleware = serve.middleware(hidden.bind());
    await middleware.ready();
    await using host = await listen(middleware);
    expect((await send(host.port, '/x')).text).toBe('hidden /x');
    const fastify = Fastify();
    fastify.register(fastifyServe, { serve, app: 'Hidden', prefix: '/hidden' });
    expect((await fastify.inject('/hidden/y')).body).toBe('hidden /y');
    await fastify.close();
  });

  test('answer WebSockets', async () => {
    await using serve = calmServe();
    await serve.run(hiddenTalker.bind());
    await using host = await listen(serve.middleware());
    serve.attachWebSocket(host.server);
    using client = await SocketClient.connect(host.port, '/');
    expect(await client.next()).toBe('hidden');
    expect((await send(host.port, '/')).status).toBe(426);
  });
});
