import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import Fastify from 'fastify';
import Koa from 'koa';
import mount from 'koa-mount';
import { describe, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { createServe } from '../../../src/index.ts';
import { fastifyServe } from '../../../src/shells/fastify.ts';
import { both, plain, talker } from '../../fixtures/http/sockets.ts';
import { RawClient, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { refusal, SocketClient } from '../../support/http/socket-client.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually } from '../../support/until.ts';
import { ongoing, outcomes } from '../every-framework/setup.ts';
import { talking } from './setup.ts';

const echoes = async (port: number, path: string, options = {}) => {
  using client = await SocketClient.connect(port, path, options);
  client.send('hello');
  return (await client.next()) === 'hello';
};

const HANDSHAKE = [
  'Host: h',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
];

/** Where it matters little who talks: on the host's event loop, which is there at once. */
const inline = talker.options({ isolation: 'inline' });

describe('which app a connection is for', () => {
  test('by mount path and by route prefix, the longest, on segment borders', async () => {
    await using serve = quietServe();
    const app = express();
    app.use(
      '/chat/deep',
      serve.middleware(both.options({ isolation: 'inline' }).bind(), { name: 'deep', path: '/chat/deep/' }),
    );
    app.use('/chat', serve.middleware(inline.bind(), { name: 'chat', path: '/chat' }));
    await serve.run(talker.bind(), { name: 'prefixed', routePrefix: '/prefixed' });
    app.get('/chatter', (_req, res) => void res.send('not ours'));
    await using host = await listen(app);
    serve.attachWebSocket(host.server);
    for (const path of ['/chat/echo', '/chat/deep/echo', '/prefixed/echo'])
      expect(await echoes(host.port, path)).toBe(true);
    // The ingress sees the path below the mount.
    using client = await SocketClient.connect(host.port, '/chat/deep/context?x=1');
    client.send('?');
    expect(JSON.parse(String(await client.next())).url).toBe(`http://127.0.0.1:${host.port}/context?x=1`);
    expect((await send(host.port, '/chat/deep/x')).text).toBe('http /x');
    expect(await refusal(host.port, '/chatter')).toMatchObject({ status: 200, body: 'not ours' });
    expect(await refusal(host.port, '/elsewhere')).toMatchObject({ status: 404 });
  });

  test('an ingress without websocket() answers 404; one with nothing else answers requests with 426', async () => {
    await using serve = quietServe();
    await serve.run(plain.bind(), { routePrefix: '/plain' });
    await serve.run(inline.bind(), { routePrefix: '/talk' });
    await using host = await listen(serve.middleware());
    serve.attachWebSocket(host.server);
    const { status, body } = await refusal(host.port, '/plain');
    expect([status, JSON.parse(body).code]).toEqual([404, 'SERVE_NOT_FOUND']);
    const answer = await send(host.port, '/talk');
    expect([answer.status, answer.headers.upgrade]).toEqual([426, 'websocket']);
    expect((await send(host.port, '/plain')).text).toBe('plain');
  });

  test('other upgrades are left to who listens for them', async () => {
    await using serve = quietServe();
    await serve.run(inline.bind(), { routePrefix: '/talk' });
    await serve.run(plain.options({ isolation: 'inline' }).bind(), { routePrefix: '/' });
    await using host = await listen(serve.middleware());
    serve.attachWebSocket(host.server);
    const theirs = new WebSocketServer({ noServer: true });
    host.server.on('upgrade', (req, socket, head) => {
      if (req.url === '/theirs')
        theirs.handleUpgrade(req, socket, head, (ws) => ws.on('message', (data) => ws.send(String(data))));
    });
    expect(await echoes(host.port, '/theirs')).toBe(true);
    expect(await echoes(host.port, '/talk/echo')).toBe(true);
  });

  test('two instances on one server; detached, nothing is listened to', async () => {
    await using one = quietServe();
    await using two = quietServe();
    await one.run(inline.bind(), { routePrefix: '/one' });
    await two.run(inline.bind(), { routePrefix: '/two' });
    await using host = await listen(one.middleware());
    const detach = one.attachWebSocket(host.server);
    two.attachWebSocket(host.server);
    expect(await echoes(host.port, '/one/echo')).toBe(true);
    expect(await echoes(host.port, '/two/echo')).toBe(true);
    expect((await refusal(host.port, '/none')).status).toBe(404);
    detach();
    expect((await refusal(host.port, '/one/echo')).status).toBe(426);
  });

  test('an inline ingress talks on the host', async () => {
    await using app = await talking({ app: inline.bind() });
    expect(await echoes(app.port, '/echo')).toBe(true);
    using client = await SocketClient.connect(app.port, '/iterate?key=i');
    client.send(Buffer.alloc(100_000, 1));
    expect(await client.next()).toHaveLength(100_000);
    client.ws.close();
    await app.handle.until.remote('i:left');
    await eventually(() => app.ongoing === 0);
  });

  test('the log says why a WebSocket came as a plain request', async () => {
    const app = both.options({ isolation: 'inline' });
    const warning = async (options: { path?: string }, isAttached: boolean): Promise<unknown> => {
      await using serve = quietServe();
      const middleware = serve.middleware(app.bind(), options);
      await middleware.ready();
      await using host = await listen(express().use('/rooms/:room', middleware));
      if (isAttached) serve.attachWebSocket(host.server);
      expect((await refusal(host.port, '/rooms/blue/echo')).status).toBe(426);
      return serve.log.records.find(({ message }) => message.includes('plain request'))?.message;
    };
    expect(await warning({}, true)).toMatch("pass { path: '/rooms/blue' } to middleware(app)");
    expect(await warning({ path: '/rooms/blue' }, false)).toMatch('call serve.attachWebSocket(server) with');
    expect(await warning({ path: '/rooms/:room' }, true)).toMatch(
      "its path is not '/rooms/blue': WebSockets are routed by paths as they are written",
    );
  });

  test('it waits for an app that is still starting', async () => {
    await using serve = quietServe();
    const middleware = serve.middleware(talker.bind(), { path: '/' });
    await using host = await listen(middleware);
    serve.attachWebSocket(host.server);
    expect(await echoes(host.port, '/echo')).toBe(true);
  });
});

describe('every framework has a server', () => {
  test('Koa and Fastify', async () => {
    await using serve = quietServe();
    const koa = new Koa();
    koa.use(mount('/koa', serve.middleware(inline.bind(), { name: 'koa', path: '/koa' })));
    await using koaHost = await listen(koa.callback());
    serve.attachWebSocket(koaHost.server);
    expect(await echoes(koaHost.port, '/koa/echo')).toBe(true);
    const fastify = Fastify();
    await fastify.register(fastifyServe, {
      serve,
      app: inline.bind(),
      name: 'fast',
      prefix: '/fast',
    });
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    serve.attachWebSocket(fastify.server);
    const { port } = fastify.server.address() as AddressInfo;
    expect(await echoes(port, '/fast/echo')).toBe(true);
    expect((await refusal(port, '/other')).status).toBe(404);
    await serve.close();
    await fastify.close();
  });
});

describe('who is let in', () => {
  test('security row 35: pages of the same host, unless origins say otherwise', async () => {
    await using app = await talking({ app: inline.bind() });
    const own = `http://127.0.0.1:${app.port}`;
    expect(await echoes(app.port, '/echo', { origin: own })).toBe(true);
    expect(await echoes(app.port, '/echo', { origin: own.replace('http', 'HTTP') })).toBe(true);
    for (const origin of ['https://evil.example', `${own}.evil.example`, 'null', `http://127.0.0.1:1`]) {
      const { status, body } = await refusal(app.port, '/echo', { origin });
      expect([status, JSON.parse(body).code]).toEqual([403, 'ORIGIN_NOT_ALLOWED']);
    }
    await using listed = await talking({
      app: inline.bind(),
      webSocket: { origins: ['https://app.example'] },
    });
    expect(await echoes(listed.port, '/echo', { origin: 'https://app.example' })).toBe(true);
    expect((await refusal(listed.port, '/echo', { origin: own })).status).toBe(403);
    await using open = await talking({ app: inline.bind(), webSocket: { origins: 'any' } });
    expect(await echoes(open.port, '/echo', { origin: 'https://anywhere.example' })).toBe(true);
    expect(ongoing(app.serve)).toBe(0);
  });

  test('authorize, and hooks that throw', async () => {
    await using app = await talking({
      app: inline.bind(),
      webSocket: { authorize: async (req) => req.headers.cookie === 'session=1' },
      middleware: {
        locals: (req) => {
          if (req.url?.includes('banned'))
            throw Object.assign(new Error('banned'), { statusCode: 403, expose: true });
          return { cookie: req.headers.cookie };
        },
      },
    });
    const headers = { cookie: 'session=1' };
    expect((await refusal(app.port, '/echo')).status).toBe(401);
    expect((await refusal(app.port, '/echo?banned', { headers })).status).toBe(403);
    using client = await SocketClient.connect(app.port, '/context', { headers });
    client.send('?');
    expect(JSON.parse(String(await client.next())).locals).toEqual(headers);
  });

  test('the best common sub-protocol; the request id is echoed', async () => {
    await using app = await talking({ app: inline.bind(), webSocket: { protocols: ['chat.v2', 'chat.v1'] } });
    using client = await SocketClient.connect(app.port, '/context', {
      protocols: ['chat.v1', 'x', 'chat.v2'],
    });
    expect(client.ws.protocol).toBe('chat.v2');
    client.send('?');
    expect(JSON.parse(String(await client.next())).protocol).toBe('chat.v2');
    using none = await SocketClient.connect(app.port, '/echo');
    expect(none.ws.protocol).toBe('');
    using raw = await RawClient.connect(app.port);
    raw.head('GET /echo HTTP/1.1', ...HANDSHAKE, 'X-Request-Id: seen');
    expect(await raw.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 101 [\s\S]*x-request-id: seen\r\n/i);
  });

  test('a malformed handshake takes no place', async () => {
    await using app = await talking({ app: inline.bind(), webSocket: { compression: true } });
    const without = (name: string, ...more: string[]) => [
      ...HANDSHAKE.filter((line) => !line.startsWith(name)),
      ...more,
    ];
    for (const [head, status, first = 'GET'] of [
      [without('Sec-WebSocket-Key'), 400],
      [without('Sec-WebSocket-Key', 'Sec-WebSocket-Key: short'), 400],
      [without('Sec-WebSocket-Version'), 426],
      [without('Sec-WebSocket-Version', 'Sec-WebSocket-Version: 99'), 426],
      [HANDSHAKE, 405, 'POST'],
      [[...HANDSHAKE, 'Sec-WebSocket-Extensions: ;;'], 400],
      [without('Host', 'Host: a b'), 400],
    ] as [string[], number, string?][]) {
      using raw = await RawClient.connect(app.port);
      raw.head(`${first} /echo?key=bad HTTP/1.1`, ...head);
      expect(await raw.until('\r\n\r\n')).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      await raw.closed();
    }
    await eventually(() => app.ongoing === 0);
    using client = await SocketClient.connect(app.port, '/echo');
    expect(client.ws.extensions).toBe('permessage-deflate');
    client.send('a'.repeat(10_000));
    expect(await client.next()).toHaveLength(10_000);
  });
});

describe('limits', () => {
  test('a connection is one ongoing call; over the limit the upgrade is refused with 503', async () => {
    await using app = await talking({
      app: talker.options({ maxOngoingRequests: 2, maxQueuedRequests: 0 }).bind(),
    });
    using first = await SocketClient.connect(app.port, '/echo');
    using second = await SocketClient.connect(app.port, '/echo');
    expect(app.ongoing).toBe(2);
    const { status, headers } = await refusal(app.port, '/echo');
    expect(status).toBe(503);
    expect(headers['retry-after']).toMatch(/^\d$/);
    first.ws.close();
    await eventually(() => app.ongoing === 1);
    expect(await echoes(app.port, '/echo')).toBe(true);
    second.ws.close();
  });

  test('it waits for a place while one may come, and is refused when none does', async () => {
    await using app = await talking({ app: talker.options({ maxOngoingRequests: 1 }).bind() });
    using first = await SocketClient.connect(app.port, '/echo');
    const second = echoes(app.port, '/echo');
    await eventually(() => app.serve.status().apps['Talker']?.deployments['Talker']?.queued === 1);
    first.ws.close();
    expect(await second).toBe(true);
    await eventually(() => app.ongoing === 0);
    using third = await SocketClient.connect(app.port, '/echo');
    expect((await refusal(app.port, '/echo')).status).toBe(503);
    third.ws.close();
  });

  test('a client that leaves while it waits takes no place', async () => {
    await using app = await talking({ app: talker.options({ maxOngoingRequests: 1 }).bind() });
    using first = await SocketClient.connect(app.port, '/echo');
    using raw = await RawClient.connect(app.port);
    raw.head('GET /echo?key=left HTTP/1.1', ...HANDSHAKE);
    const queued = () => app.serve.status().apps['Talker']?.deployments['Talker']?.queued;
    await eventually(() => queued() === 1);
    raw.socket.end();
    await eventually(() => queued() === 0);
    first.ws.close();
    await eventually(() => app.ongoing === 0);
    expect(await app.handle.count.remote('left:began')).toBe(0);
  });

  test('its options are checked', () => {
    const serve = createServe();
    const app = express();
    const server = listen(app);
    expect(() => serve.attachWebSocket(app as never)).toThrow('app.listen()');
    return server.then(async (host) => {
      expect(() => serve.attachWebSocket(host.server, { idleTimeout: 1 } as never)).toThrow('idleTimeoutMs');
      expect(() => serve.attachWebSocket(host.server, { origins: ['example.com'] })).toThrow(
        'https://example.com',
      );
      expect(() => serve.middleware('x', { webSocket: { protocols: ['a b'] } })).toThrow('protocols[0]');
      expect(() => serve.middleware('x', { path: 'chat' })).toThrow("starts with '/'");
      await host[Symbol.asyncDispose]();
      await serve.close();
    });
  });
});

describe('the life of a replica', () => {
  test('its death closes with 1011, and another takes the next connection', async () => {
    await using app = await talking();
    using client = await SocketClient.connect(app.port, '/echo');
    app.handle.die.remote().catch(() => {});
    expect((await client.closed).code).toBe(1011);
    expect(await echoes(app.port, '/echo')).toBe(true);
    await eventually(async () =>
      (await app.serve.metrics()).includes('method="websocket",outcome="died"} 1'),
    );
  });

  test('an upgrade drains the old replicas with 1012, and the new ones are there', async () => {
    await using app = await talking();
    using client = await SocketClient.connect(app.port, '/echo');
    const upgraded = app.serve.run(talker.options({ version: '2' }).bind());
    expect(await client.closed).toEqual({ code: 1012, reason: 'service restart' });
    await upgraded;
    expect(await echoes(app.port, '/echo')).toBe(true);
  });

  test('close() drains with 1012; who comes later is refused', async () => {
    for (const isolation of ['thread', 'inline'] as const) {
      // A busy machine may hold up one close, but hardly three of them.
      const took: number[] = [];
      while (took.length < 3 && !took.some((ms) => ms < 4_000)) {
        await using app = await talking({ app: talker.options({ isolation }).bind() });
        using client = await SocketClient.connect(app.port, '/iterate?key=c');
        const startedAt = performance.now();
        const closing = app.serve.close();
        expect(await client.closed).toEqual({ code: 1012, reason: 'service restart' });
        expect((await refusal(app.port, '/echo')).status).toBe(503);
        await closing;
        took.push(performance.now() - startedAt);
      }
      // The time limit of a close frame is not waited for.
      expect(Math.min(...took)).toBeLessThan(4_000);
    }
  });

  test('connections and how they ended are counted, and so are messages and their bytes', async () => {
    await using app = await talking();
    expect(await app.serve.metrics()).not.toContain('serve_websocket_messages_total{');
    using client = await SocketClient.connect(app.port, '/echo');
    for (const message of ['é', Buffer.alloc(70_000), '']) {
      client.send(message);
      await client.next();
    }
    const metrics = await app.serve.metrics();
    for (const direction of ['in', 'out']) {
      const labels = `{app="Talker",deployment="Talker",direction="${direction}"}`;
      expect(metrics).toContain(`serve_websocket_messages_total${labels} 3\n`);
      expect(metrics).toContain(`serve_websocket_bytes_total${labels} 70002\n`);
    }
    client.ws.close();
    await once(client.ws, 'close');
    await eventually(async () => (await app.serve.metrics()).includes('method="websocket",outcome="ok"} 1'));
    expect(await outcomes(app.serve, 'error')).toBe(0);
  });
});
