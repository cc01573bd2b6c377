import express from 'express';
import Koa from 'koa';
import { expect, test } from 'vitest';
import { fastifyServe } from '../../src/shells/fastify.ts';
import { asFunction } from '../fixtures/http/shapes.ts';
import { RawClient } from './client.ts';
import { sharedApp } from './conformance/setup.ts';
import { makeHost, start } from './fastify/mount.ts';
import { listen } from './listen.ts';

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

test('Express: no way around a guard', async () => {
  const host = express().use('/admin', (_req, res) => void res.sendStatus(401));
  await using server = await listen(host.use(shared.serve.middleware(app)));
  await check(server.port);
});

test('Koa: no way around a guard', async () => {
  const host = new Koa().use((ctx, next) => (ctx.path === '/admin' ? ctx.throw(401) : next()));
  host.silent = true;
  await using server = await listen(host.use(shared.serve.middleware(app)).callback());
  await check(server.port);
});

test('Fastify: no way around a guard', async () => {
  const host = makeHost();
  host.get('/admin', (_request, reply) => reply.code(401).send());
  await host.register(fastifyServe, { serve: shared.serve, app });
  await using server = await start(host);
  await check(server.port);
});
