import { once } from 'node:events';
import express from 'express';
import Koa from 'koa';
import { describe, expect, test } from 'vitest';
import { expressServe } from '../../../src/shells/express.ts';
import { fastifyServe } from '../../../src/shells/fastify.ts';
import { koaServe } from '../../../src/shells/koa.ts';
import { nodeServe } from '../../../src/shells/node.ts';
import { json, RawClient, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { makeHost, start } from '../fastify/mount.ts';
import { sharedApp } from './setup.ts';

const shared = sharedApp();
const ours = () => ({ serve: shared.serve });

/** What other middleware gets wrong in each framework, as far as no suite of all frameworks has it. */
describe('traps', () => {
  test('middleware has a name, and not the four parameters of an error handler', () => {
    for (const middleware of [
      shared.serve.middleware(shared.app),
      expressServe(shared.app, ours()),
      koaServe(shared.app, ours()),
      nodeServe(shared.app, ours()),
    ]) {
      expect(middleware.name).toBe('serveMiddleware');
      expect(middleware.length).toBeLessThan(4);
    }
  });

  test('Fastify: the plugin has a name, and refuses another major version', async () => {
    await using host = makeHost();
    await host.register(fastifyServe, { serve: shared.serve, app: shared.app });
    expect(host.printPlugins()).toContain('inserve');
    expect(host.hasPlugin('inserve')).toBe(true);
    expect(Reflect.get(fastifyServe, Symbol.for('plugin-meta'))).toMatchObject({ fastify: '>=5' });
  });

  test('Express 5: what is computed on demand, such as req.query, is so behind us', async () => {
    const host = express().set('query parser', 'extended');
    host.use(shared.serve.middleware(shared.app, { passthrough: true }));
    host.get('/none', (req, res) => void res.json({ query: req.query, body: req.body ?? 'undefined' }));
    await using server = await listen(host);
    expect(json(await send(server.port, '/none?a[b]=1'))).toEqual({
      query: { a: { b: '1' } },
      body: 'undefined',
    });
  });

  test('Koa: a client that leaves, and a stream that breaks, are no errors of the app', async () => {
    const told: NodeJS.ErrnoException[] = [];
    const host = new Koa();
    host.on('error', (error) => told.push(error));
    await using server = await listen(host.use(koaServe(shared.app, ours())).callback());
    for (const path of ['/stream/ticking?key=koa-trap', '/stream/endless?key=koa-trap']) {
      using client = await RawClient.connect(server.port);
      client.head(`GET ${path} HTTP/1.1`, 'Host: h');
      await client.until('200 OK');
      client.socket.destroy();
      await once(client.socket, 'close');
    }
    await expect(send(server.port, '/stream/breaking')).rejects.toThrow('aborted');
    await shared.probe.until.remote('koa-trap:finally', 2);
    // Koa itself tells of connections that were reset.
    const others = told.filter(({ code }) => code !== 'ECONNRESET' && code !== 'EPIPE');
    expect(others).toEqual([]);
  });

  test('Koa: its preset 404 is not ours, whatever middleware in front has set', async () => {
    const host = new Koa();
    host.use((ctx, next) => {
      ctx.status = 201;
      return next();
    });
    await using server = await listen(host.use(koaServe(shared.app, ours())).callback());
    expect((await send(server.port, '/kind/number')).status).toBe(200);
    expect((await send(server.port, '/kind/no-content')).status).toBe(204);
  });

  test('Fastify 5 aborts request.signal with every body that was read; request.signal of an ingress it does not', async () => {
    const host = makeHost();
    await host.register(fastifyServe, { serve: shared.serve, app: shared.app });
    await using server = await start(host);
    const sent = send(server.port, '/wait/x?key=fastify-trap', { method: 'POST', body: 'a body' });
    await shared.probe.until.remote('fastify-trap:started');
    // Fastify's own would have been aborted by the time of another whole exchange.
    await send(server.port, '/request/length', { method: 'POST', body: 'another' });
    expect(await shared.probe.count.remote('fastify-trap:aborted:SERVE_CANCELLED')).toBe(0);
    await shared.probe.open.remote('fastify-trap');
    expect((await sent).text).toBe('waited');
  });

  test('an odd mount: middleware of one app twice, and in a router of a router', async () => {
    const middleware = shared.serve.middleware(shared.app);
    const inner = express.Router().use('/deep', middleware);
    const host = express().use('/a', middleware).use('/b', express.Router().use('/c', inner));
    await using server = await listen(host);
    expect((await send(server.port, '/a/kind/number')).text).toBe('0.5');
    expect(json(await send(server.port, '/b/c/deep/context'))).toMatchObject({ mountPath: '/b/c/deep' });
  });
});
