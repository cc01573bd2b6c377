import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import middie from '@fastify/middie';
import express from 'express';
import Koa from 'koa';
import mount from 'koa-mount';
import { describe, expect, test } from 'vitest';
import type { Serve, ShutdownServer } from '../../../src/index.ts';
import { fastifyServe } from '../../../src/shells/fastify.ts';
import { type Held, held } from '../../fixtures/http/held.ts';
import { talker } from '../../fixtures/http/sockets.ts';
import { RawClient } from '../../support/http/client.ts';
import { SocketClient } from '../../support/http/socket-client.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually } from '../../support/until.ts';
import { makeHost } from '../fastify/mount.ts';

/** A host with the app under `/app` and a route of its own, `/own`. */
type MakeHost = (serve: Serve) => Promise<{ readonly given: ShutdownServer; readonly server: Server }>;

async function listening(server: Server): Promise<{ given: Server; server: Server }> {
  if (!server.listening) await once(server, 'listening');
  return { given: server, server };
}

const HOSTS: Record<string, MakeHost> = {
  express: (serve) => {
    const app = express();
    app.use('/app', serve.middleware(held.bind()));
    app.get('/own', (_req, res) => void res.send('own'));
    return listening(app.listen(0, '127.0.0.1'));
  },
  koa: (serve) => {
    const app = new Koa();
    app.use(mount('/app', serve.middleware(held.bind())));
    app.use((ctx) => {
      ctx.body = 'own';
    });
    return listening(app.listen(0, '127.0.0.1'));
  },
  'node:http': (serve) => {
    const middleware = serve.middleware(held.bind());
    const server = createServer((req, res) => {
      if (req.url === '/own') res.end('own');
      else middleware(req, res);
    });
    return listening(server.listen(0, '127.0.0.1'));
  },
  'fastify, as a plugin': async (serve) => {
    const app = makeHost();
    await app.register(fastifyServe, { serve, app: held.bind(), prefix: '/app' });
    app.get('/own', () => Promise.resolve('own'));
    await app.listen({ host: '127.0.0.1', port: 0 });
    return { given: app, server: app.server };
  },
  'fastify, under middie': async (serve) => {
    const app = makeHost();
    await app.register(middie);
    app.use('/app', serve.middleware(held.bind()));
    app.get('/own', () => Promise.resolve('own'));
    await app.listen({ host: '127.0.0.1', port: 0 });
    return { given: app, server: app.server };
  },
};

/** Time for which a server still takes requests, in ms: enough for those of a test on a machine that stalls. */
const DRAIN_DELAY_MS = 3_000;

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

const get = (path: string): [string, string] => [`GET ${path} HTTP/1.1`, 'host: localhost'];

async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

describe.each(Object.entries(HOSTS))('shutdown(server): %s', (_name, makeServer) => {
  test('every answer ends its connection, requests that were accepted are served, then all ends', async () => {
    await using serve = quietServe();
    const { given, server } = await makeServer(serve);
    const port = portOf(server);
    await eventually(() => serve.ready());
    const handle = serve.handle<Held>('Held');
    using keptOpen = await RawClient.connect(port);
    using keptOwn = await RawClient.connect(port);
    using waiting = await RawClient.connect(port);
    using streaming = await RawClient.connect(port);
    using idle = await RawClient.connect(port);
    expect(await keptOpen.head(...get('/app/quick')).until('process')).not.toContain('onnection: close');
    expect(await keptOwn.head(...get('/own')).until(/own$/)).not.toContain('onnection: close');
    await idle.head(...get('/own')).until(/own$/);
    waiting.head(...get('/app/held'));
    await streaming.head(...get('/app/stream')).until('begun');
    await eventually(async () => (await handle.held.remote()) === 2);

    const ended = serve.shutdown(given, { drainDelayMs: DRAIN_DELAY_MS, timeoutMs: 30_000 });
    expect(serve.ready()).toBe(false);
    expect(serve.health()).toBe(true);
    // Until the delay is over the server takes requests, also on new connections.
    using late = await RawClient.connect(port);
    expect(await late.head(...get('/app/quick')).closed()).toMatch(/200 OK.*onnection: close/s);
    expect(await keptOpen.head(...get('/app/quick')).closed()).toMatch(/200 OK.*200 OK.*onnection: close/s);
    expect(await keptOwn.head(...get('/own')).closed()).toMatch(/200 OK.*200 OK.*onnection: close/s);
    await eventually(() => isRefused(port));
    await idle.closed();
    // What was accepted is served, however long ago.
    await handle.release.remote();
    expect(await waiting.closed()).toMatch(/200 OK.*onnection: close.*process/s);
    expect(await streaming.closed()).toContain('ended');
    await ended;
    expect(serve.health()).toBe(false);
    expect(serve.status().apps).toEqual({});
  });
});

describe('shutdown(server)', () => {
  test('closes the connections that are still busy at its limit', async () => {
    await using serve = quietServe();
    const { server } = await (HOSTS['node:http'] as MakeHost)(serve);
    using silentClient = await RawClient.connect(portOf(server));
    using waiting = await RawClient.connect(portOf(server));
    await eventually(() => serve.ready());
    waiting.head(...get('/app/held'));
    await eventually(() => serve.status().apps['Held']?.deployments['Held']?.replicas[0]?.ongoing === 1);
    await serve.shutdown(server, { drainDelayMs: 0, timeoutMs: 100 });
    expect(await waiting.closed()).toBe('');
    expect(await silentClient.closed()).toBe('');
    expect(serve.log.records.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/^closed \d connections whose requests took longer than 100 ms$/),
    );
  });

  test('WebSockets end with 1012 once the requests have ended', async () => {
    await using serve = quietServe();
    await serve.run(talker.bind());
    const { server } = await listening(createServer(serve.middleware()).listen(0, '127.0.0.1'));
    serve.attachWebSocket(server);
    using client = await SocketClient.connect(portOf(server), '/echo');
    const ended = serve.shutdown(server, { drainDelayMs: 0, timeoutMs: 5_000 });
    expect((await client.closed).code).toBe(1012);
    await ended;
    expect(server.listening).toBe(false);
  });

  test('HTTPS: every answer ends its connection', async () => {
    await using serve = quietServe();
    await serve.run(held.bind());
    const [key, cert] = ['fleet.key', 'fleet.pem'].map((name) => readFileSync(`test/fixtures/tls/${name}`));
    const server = createHttpsServer({ key, cert }, serve.middleware());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(client, 'secureConnect');
    client.write('GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await eventually(() => serve.status().apps['Held']?.deployments['Held']?.replicas[0]?.ongoing === 1);
    const ended = serve.shutdown(server, { drainDelayMs: 0, timeoutMs: 10_000 });
    await serve.handle<Held>('Held').release.remote();
    expect(await text(client)).toMatch(/200 OK.*onnection: close.*process/s);
    await ended;
    expect(server.listening).toBe(false);
  });

  test('Fastify on localhost: all of its addresses', async () => {
    await using serve = quietServe();
    const app = makeHost();
    await app.register(fastifyServe, { serve, app: held.bind(), prefix: '/app' });
    const closed: string[] = [];
    app.addHook('onClose', () => void closed.push(serve.health() ? 'before the apps' : 'after the apps'));
    await app.listen({ host: 'localhost', port: 0 });
    await eventually(() => serve.ready());
    const ports = (app.addresses() as AddressInfo[]).map(({ address: host, port }) => ({ host, port }));
    await serve.shutdown(app, { drainDelayMs: 0, timeoutMs: 5_000 });
    for (const address of ports)
      await expect(once(connect(address), 'connect')).rejects.toThrow('ECONNREFUSED');
    expect(closed).toEqual(['before the apps']);
  });

  test('HTTP/2: requests that were accepted are served, and sessions take no more', async () => {
    await using serve = quietServe();
    await serve.run(held.bind());
    const middleware = serve.middleware() as unknown as Parameters<typeof createHttp2Server>[1];
    const server = createHttp2Server({}, middleware);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    // The shutdown knows the sessions from here on.
    const shutdown = serve.shutdown(server, { signals: ['SIGUSR2'], drainDelayMs: 100, timeoutMs: 10_000 });
    const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const request = client.request({ ':path': '/held' });
    const head = once(request, 'response');
    await eventually(() => serve.status().apps['Held']?.deployments['Held']?.replicas[0]?.ongoing === 1);
    const goingAway = once(client, 'goaway');
    process.kill(process.pid, 'SIGUSR2');
    await goingAway;
    await serve.handle<Held>('Held').release.remote();
    expect((await head)[0]).toMatchObject({ ':status': 200 });
    request.resume();
    await shutdown;
    expect(client.closed).toBe(true);
  });

  test('takes a server that does not listen, and is told the server that listens', async () => {
    await using serve = quietServe();
    await serve.shutdown(createServer(), { drainDelayMs: 0 });
    expect(serve.health()).toBe(false);
    await expect(serve.shutdown(express() as never)).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining('app.listen()'),
    });
    await expect(serve.shutdown(createServer(), { signals: ['SIGKILL'] })).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining('signals[0]'),
    });
  });
});

test('close(): every answer ends its connection, also those of requests that come too late', async () => {
  await using serve = quietServe();
  const { server } = await (HOSTS['express'] as MakeHost)(serve);
  using waiting = await RawClient.connect(portOf(server));
  using late = await RawClient.connect(portOf(server));
  await eventually(() => serve.ready());
  const handle = serve.handle<Held>('Held');
  await late.head(...get('/app/quick')).until('process');
  waiting.head(...get('/app/held'));
  await eventually(() => serve.status().apps['Held']?.deployments['Held']?.replicas[0]?.ongoing === 1);
  const released = handle.release.remote();
  const closed = serve.close();
  expect(await late.head(...get('/app/quick')).closed()).toMatch(
    /503 Service Unavailable.*onnection: close/s,
  );
  expect(await waiting.closed()).toMatch(/200 OK.*onnection: close/s);
  await Promise.all([released, closed]);
  server.close();
});
