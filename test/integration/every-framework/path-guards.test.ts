import type { IncomingMessage, ServerResponse } from 'node:http';
import middie from '@fastify/middie';
import express from 'express';
import Koa from 'koa';
import { expect, test } from 'vitest';
import type { Serve } from '../../../src/index.ts';
import { fastifyServe } from '../../../src/shells/fastify.ts';
import { asFunction } from '../../fixtures/http/shapes.ts';
import { RawClient } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';
import { makeHost, start } from '../fastify/mount.ts';
import { sharedApp } from './setup.ts';

const shared = sharedApp();
/** Answers with the path that it sees. */
const app = asFunction.bind();

/** Spellings of `/admin` that a guard at that path does not know. */
const AROUND = [
  '/x/../admin',
  '/./admin',
  '/x/%2e%2e/admin',
  '/x/.%2E/admin',
  '/x\\..\\admin',
  '\\admin',
  'http://h/x/../admin',
  '//admin',
  '/x/..//admin',
  '/%61dmin/../admin',
  '/admin%2f..%2fadmin',
];

async function ask(port: number, target: string): Promise<string> {
  using client = await RawClient.connect(port);
  client.head(`GET ${target} HTTP/1.1`, 'Host: h', 'Connection: close');
  return await client.closed();
}

/** Whatever the guard lets pass, the app must not take it for what is guarded. */
async function check(port: number): Promise<void> {
  expect(await ask(port, '/admin')).toMatch(/^HTTP\/1.1 401 /);
  expect(await ask(port, '/open')).toMatch(/function \/open$/);
  for (const target of AROUND) expect(await ask(port, target), target).not.toMatch(/function \/admin$/);
}

test('security row 29: Express: no way around a guard', async () => {
  const host = express().use('/admin', (_req, res) => void res.sendStatus(401));
  await using server = await listen(host.use(shared.serve.middleware(app)));
  await check(server.port);
});

test('security row 29: Koa: no way around a guard', async () => {
  const host = new Koa().use((ctx, next) => (ctx.path === '/admin' ? ctx.throw(401) : next()));
  host.silent = true;
  await using server = await listen(host.use(shared.serve.middleware(app)).callback());
  await check(server.port);
});

test('security row 29: Fastify: no way around a guard', async () => {
  const host = makeHost();
  host.get('/admin', (_request, reply) => reply.code(401).send());
  await host.register(fastifyServe, { serve: shared.serve, app });
  await using server = await start(host);
  await check(server.port);
});

test('security row 29: @fastify/middie: no way around a guard', async () => {
  const host = makeHost();
  await host.register(middie);
  host.use('/admin', (_req: IncomingMessage, res: ServerResponse) => {
    res.statusCode = 401;
    res.end();
  });
  host.use(shared.serve.middleware(app));
  await using server = await start(host);
  await check(server.port);
});

test('security row 29: several apps on one middleware: no spelling of a path reaches another one’s app', async () => {
  await using serve = quietServe();
  await serve.run(app, { name: 'open', routePrefix: '/open' });
  await serve.run(asFunction.options({ name: 'secret' }).bind(), {
    name: 'secret',
    routePrefix: '/open/admin',
  });
  const host = express().use('/open/admin', (_req, res) => void res.sendStatus(401));
  await using server = await listen(host.use(serve.middleware()));
  expect(await ask(server.port, '/open/admin/x')).toMatch(/^HTTP\/1.1 401 /);
  expect(await ask(server.port, '/open/x')).toMatch(/function \/x$/);
  const before = await served(serve, 'secret');
  for (const target of [
    '/open/x/../admin/x',
    '/open/./admin/x',
    '/open/x/%2e%2e/admin/x',
    '/open//admin/x',
    '//open/admin/x',
    '/open/admin%2fx',
    '/open%2fadmin/x',
    '/open\\admin\\x',
    '/OPEN/ADMIN/x',
    '/Open/admin/x',
    '/open/%61dmin/x',
    'http://h/open/./admin/x',
  ]) {
    await ask(server.port, target);
  }
  expect(await served(serve, 'secret')).toBe(before);
});

/** How many calls an app has had. */
async function served(serve: Serve, name: string): Promise<number> {
  const pattern = new RegExp(`^serve_requests_total\\{app="${name}"[^}]*\\} (\\d+)`, 'gm');
  return [...(await serve.metrics()).matchAll(pattern)].reduce((sum, [, count]) => sum + Number(count), 0);
}
