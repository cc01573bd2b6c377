import { createServer } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import express from 'express';
import Fastify from 'fastify';
import Koa from 'koa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fastifyServe } from '../../src/shells/fastify.ts';
import { probe } from '../fixtures/http/probe.ts';
import {
  calmServe,
  type Mount,
  type Mounted,
  settled,
  sharedApp,
} from '../integration/every-framework/setup.ts';
import { mountExpress } from '../integration/express/mount.ts';
import { mountMiddie, mountPlugin } from '../integration/fastify/mount.ts';
import { mountKoa } from '../integration/koa/mount.ts';
import { compress } from '../support/http/compress.ts';
import { listen } from '../support/http/listen.ts';

const shared = sharedApp();

interface Ending {
  readonly received: string;
  /** Code of the error that the connection ended with; undefined: the server said that it was the end. */
  readonly error: string | undefined;
}

/** How a connection ends. */
function ending(socket: Socket): Promise<Ending> {
  let received = '';
  let error: string | undefined;
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', (reason: NodeJS.ErrnoException) => {
    error = reason.code;
  });
  return new Promise((resolve) => socket.on('close', () => resolve({ received, error })));
}

/** What nginx sends to its upstreams by default. */
function ask(socket: Socket, path: string, version = '1.0'): Promise<Ending> {
  socket.write(`GET ${path} HTTP/${version}\r\nHost: h\r\nConnection: close\r\n\r\n`);
  return ending(socket);
}

const BREAKING = ['breaking', 'breaking-now', 'breaking-response'];

const MOUNTS: [string, Mount][] = [
  ['node:http', ({ serve, app }) => listen(serve.middleware(app))],
  ['Express', mountExpress],
  ['Koa', mountKoa],
  ['middie', mountMiddie],
  ['Fastify', mountPlugin],
];

describe.each(MOUNTS)('a stream that breaks, over %s', (_name, mount) => {
  let server: Mounted;
  beforeAll(async () => {
    server = await mount({ serve: shared.serve, app: shared.app });
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const get = (path: string, version?: string) => ask(connect(server.port, '127.0.0.1'), path, version);

  test.each(BREAKING)('%s: resets the connection where its end is that of the body', async (name) => {
    const { received, error } = await get(`/stream/${name}`);
    expect(received).toMatch(/^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\nonetwo$/);
    expect(error).toBe('ECONNRESET');
  });

  test('lacks its last chunk otherwise, and the connection ends as ever', async () => {
    const { received, error } = await get('/stream/breaking', '1.1');
    expect(received).toMatch(/two\r\n$/);
    expect(error).toBeUndefined();
  });

  test('and one that does not is complete', async () => {
    const { received, error } = await get('/kind/generator');
    expect(received).toMatch(/\r\n\r\none,two$/);
    expect(error).toBeUndefined();
  });
});

/** Whether Node's client tells a reset that comes with data from a regular end; libuv before 1.52 does not. */
const tellsResets = (([major = 0, minor = 0]) => major > 1 || minor >= 52)(
  process.versions.uv.split('.').map(Number),
);

test.runIf(tellsResets)('a client that does not read is told, too', async () => {
  await using serve = calmServe();
  const app = probe.bind();
  await using server = await listen(serve.middleware(app));
  const socket = connect(server.port, '127.0.0.1');
  const end = ask(socket, '/stream/endless?key=slow');
  socket.pause();
  await settled(() => serve.handle(app).count.remote('slow:produced'));
  await serve.close({ timeoutMs: 0 });
  socket.resume();
  expect(await end).toMatchObject({ error: 'ECONNRESET' });
});

test('what compresses a stream in front does not hide that it breaks', async () => {
  await using server = await listen(express().use(compress, shared.serve.middleware(shared.app)));
  expect((await ask(connect(server.port, '127.0.0.1'), '/stream/breaking')).error).toBe('ECONNRESET');
});

describe('over TLS', () => {
  /** A key that both sides know, in place of certificates. */
  const PSK = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const;
  const key = Buffer.alloc(32, 7);
  const server = { ...PSK, pskCallback: () => key };
  const client = {
    ...PSK,
    pskCallback: () => ({ psk: key, identity: 'test' }),
    checkServerIdentity: () => undefined,
  };

  async function broken(port: number): Promise<Ending> {
    return ask(connectTls({ host: '127.0.0.1', port, ...client }), '/stream/breaking');
  }

  test.each([
    ['Express', () => express().use(shared.serve.middleware(shared.app))],
    ['Koa', () => new Koa().use(shared.serve.middleware(shared.app)).callback()],
  ] as const)('the connection below is reset, by %s', async (_name, listener) => {
    const host = createServer(server, listener());
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
    const { received, error } = await broken((host.address() as AddressInfo).port);
    expect([received.slice(-6), error]).toEqual(['onetwo', 'ECONNRESET']);
    host.close();
  });

  test('the connection below is reset, by Fastify', async () => {
    const host = Fastify({ https: server, requestTimeout: 60_000 });
    await host.register(fastifyServe, { serve: shared.serve, app: shared.app });
    await host.listen({ host: '127.0.0.1', port: 0 });
    const { received, error } = await broken((host.server.address() as AddressInfo).port);
    expect([received.slice(-6), error]).toEqual(['onetwo', 'ECONNRESET']);
    await host.close();
  });
});
