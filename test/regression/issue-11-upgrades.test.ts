import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import express from 'express';
import Fastify from 'fastify';
import Koa from 'koa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Serve } from '../../src/index.ts';
import { fastifyServe } from '../../src/shells/fastify.ts';
import { both, plain, talker } from '../fixtures/http/sockets.ts';
import { calmServe, recorder } from '../integration/every-framework/setup.ts';
import { bodyParser } from '../integration/koa/body-parser.ts';
import { RawClient, send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { refusal, SocketClient } from '../support/http/socket-client.ts';

/** As Java's HttpClient and `curl --http2` ask. */
const H2C = [
  'Connection: Upgrade, HTTP2-Settings',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
];

let serve: Serve;
beforeAll(async () => {
  serve = calmServe();
  await serve.run(talker.options({ isolation: 'inline' }).bind(), { routePrefix: '/talk' });
});
afterAll(() => serve.close());

/** What a route of the host sees of a request. */
async function look(req: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of req) body += chunk;
  const { method, url, headers } = req;
  return JSON.stringify({ method, url, headers, length: body.length, end: body.slice(-3) });
}

const routes: RequestListener = (req, res) => {
  look(req).then((seen) => res.end(seen));
};

/** Sends requests over one connection and answers all that comes back. */
async function converse(port: number, requests: readonly (readonly string[])[], bodies: readonly string[]) {
  using client = await RawClient.connect(port);
  for (const [index, lines] of requests.entries()) {
    client.head(...lines).write(bodies[index] ?? '');
    // The next one is not to come in the same piece.
    const answers = new RegExp(`(?:HTTP/1.1 [\\s\\S]*?){${index + 1}}"end":"[^"]*"}`);
    await client.until(answers);
  }
  return client.received.replaceAll(/^date: .*\r\n/gim, '');
}

const LARGE = 'x'.repeat(50_000);

const EXCHANGES: [string, string[][], string[]][] = [
  ['no body', [['GET /page?q HTTP/1.1', 'Host: h', ...H2C]], []],
  ['a body', [['POST /page HTTP/1.1', 'Host: h', ...H2C, 'Content-Length: 3']], ['abc']],
  ['a large body', [['POST /page HTTP/1.1', 'Host: h', ...H2C, 'Content-Length: 50000']], [LARGE]],
  [
    'chunks',
    [['POST /page HTTP/1.1', 'Host: h', ...H2C, 'Transfer-Encoding: chunked']],
    ['3\r\nabc\r\n0\r\n\r\n'],
  ],
  [
    'requests behind it',
    [
      ['POST /page HTTP/1.1', 'Host: h', ...H2C, 'Content-Length: 3'],
      ['POST /next HTTP/1.1', 'Host: h', 'Content-Length: 50000'],
      ['PUT /last HTTP/1.1', 'Host: h', ...H2C, 'Content-Length: 1'],
    ],
    ['abc', LARGE, 'z'],
  ],
  [
    'a WebSocket that is not ours',
    [
      [
        'GET /elsewhere HTTP/1.1',
        'Host: h',
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ],
    ],
    [],
  ],
];

describe('an upgrade that is not ours', () => {
  test.each(EXCHANGES)('goes the way that it goes without us: %s', async (_what, requests, bodies) => {
    await using bare = await listen(routes);
    await using host = await listen(routes);
    serve.attachWebSocket(host.server);
    const expected = await converse(bare.port, requests, bodies);
    expect(expected).toContain(requests[0]?.[3]?.includes('h2c') ? '"upgrade":"h2c"' : '"upgrade"');
    expect(await converse(host.port, requests, bodies)).toBe(expected);
  });

  test('on a connection that was open before', async () => {
    await using host = await listen(routes);
    using client = await RawClient.connect(host.port);
    client.head('GET /first HTTP/1.1', 'Host: h');
    await client.until('"end":""}');
    const detach = serve.attachWebSocket(host.server);
    client.head('POST /second HTTP/1.1', 'Host: h', ...H2C, 'Content-Length: 3').write('abc');
    await client.until('"end":"abc"}');
    detach();
    client.head('POST /third HTTP/1.1', 'Host: h', ...H2C, 'Content-Length: 3').write('def');
    await client.until('"end":"def"}');
  });

  test('over TLS', async () => {
    const psk = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const;
    const key = Buffer.alloc(32, 7);
    const server = createTlsServer({ ...psk, pskCallback: () => key }, routes);
    serve.attachWebSocket(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const client = connectTls({
      ...psk,
      host: '127.0.0.1',
      port,
      pskCallback: () => ({ psk: key, identity: 'test' }),
      checkServerIdentity: () => undefined,
    });
    client.write(`POST /page HTTP/1.1\r\nHost: h\r\n${H2C.join('\r\n')}\r\nContent-Length: 3\r\n\r\nabc`);
    let answer = '';
    while (!answer.includes('"end":"abc"}')) answer += String((await once(client, 'data'))[0]);
    expect(answer).toContain('"upgrade":"h2c"');
    client.destroy();
    server.close();
  });

  describe.each<[string, () => Promise<Server>]>([
    [
      'Express',
      async () => createServer(express().use(express.json(), (req, res) => void res.json(req.body))),
    ],
    [
      'Koa',
      async () => {
        const host = new Koa().use(bodyParser());
        host.use((ctx) => {
          ctx.body = Reflect.get(ctx.request, 'body');
        });
        return createServer(host.callback());
      },
    ],
    [
      'Fastify',
      async () => {
        const host = Fastify();
        host.post('/page', async ({ body }) => body);
        await host.ready();
        return host.server;
      },
    ],
    [
      'an app of ours',
      async () => {
        const host = Fastify();
        await host.register(fastifyServe, {
          serve,
          app: both.options({ isolation: 'inline' }).bind(),
          name: 'both',
          prefix: '/page',
        });
        await host.ready();
        return host.server;
      },
    ],
  ])('is served with its body by %s', (_name, make) => {
    test('h2c', async () => {
      const server = await make();
      serve.attachWebSocket(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      using client = await RawClient.connect(port);
      const type = 'Content-Type: application/json';
      client.head('POST /page HTTP/1.1', 'Host: h', ...H2C, type, 'Content-Length: 9').write('{"a":"b"}');
      expect(await client.until(/a":"b"}|http \//)).toMatch(/^HTTP\/1.1 200 /);
      server.closeAllConnections();
      server.close();
    });
  });

  test('is another listener’s as it is without us', async () => {
    await using host = await listen(routes);
    serve.attachWebSocket(host.server);
    host.server.on('upgrade', (req, socket) => {
      if (req.headers.upgrade === 'h2c') socket.end('HTTP/1.1 101 Theirs\r\n\r\n');
    });
    using client = await RawClient.connect(host.port);
    client.head('GET /page HTTP/1.1', 'Host: h', ...H2C);
    expect(await client.closed()).toBe('HTTP/1.1 101 Theirs\r\n\r\n');
  });

  // Node 22.18 to 22.20 and 24.0 to 24.8 do not ask.
  test.runIf('shouldUpgradeCallback' in createServer())(
    'is what the server’s own callback says',
    async () => {
      const asked: (string | undefined)[] = [];
      const options: object = {
        shouldUpgradeCallback: (req: IncomingMessage) => {
          asked.push(req.headers.upgrade);
          return false;
        },
      };
      const server = createServer(options, routes);
      const detach = serve.attachWebSocket(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      using client = await RawClient.connect(port);
      client.head('POST /page HTTP/1.1', 'Host: h', ...H2C, 'Content-Length: 3').write('abc');
      await client.until('"end":"abc"}');
      expect(asked).toEqual(['h2c']);
      detach();
      expect(Reflect.get(server, 'shouldUpgradeCallback')).toBe(
        Reflect.get(options, 'shouldUpgradeCallback'),
      );
      server.closeAllConnections();
      server.close();
    },
  );

  test('and ours still are: on new connections, by two instances, behind other requests', async () => {
    await using other = calmServe();
    await other.run(talker.options({ isolation: 'inline' }).bind(), { routePrefix: '/other' });
    await using host = await listen(routes);
    serve.attachWebSocket(host.server);
    const detach = other.attachWebSocket(host.server);
    for (const path of ['/talk/echo', '/other/echo']) {
      using client = await SocketClient.connect(host.port, path);
      expect(await client.send('hello').next()).toBe('hello');
    }
    detach();
    expect((await refusal(host.port, '/other/echo')).status).toBe(200);
    using again = await SocketClient.connect(host.port, '/talk/echo');
    expect(await again.send('hello').next()).toBe('hello');
  });
});

describe('a WebSocket that comes as a plain request', () => {
  test('to an app whose path nobody has told: 426, and one warning that says what to write', async () => {
    const { logger, records } = recorder();
    await using own = calmServe(logger);
    const app = express();
    app.use('/chat/room', own.middleware(both.options({ isolation: 'inline' }).bind()));
    await using host = await listen(app);
    own.attachWebSocket(host.server);
    for (const path of ['/chat/room', '/chat/room/echo']) {
      const { status, headers } = await refusal(host.port, path);
      expect([status, headers['upgrade'], headers['connection']]).toEqual([
        426,
        'websocket',
        'close, upgrade',
      ]);
    }
    expect((await send(host.port, '/chat/room/x')).text).toBe('http /x');
    const warnings = records.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(warnings).toEqual([
      expect.stringContaining(
        "pass { path: '/chat/room' } to middleware(app), and call serve.attachWebSocket(server)",
      ),
    ]);
  });

  test('to an app whose server nobody has named: 426, and a warning', async () => {
    const { logger, records } = recorder();
    await using own = calmServe(logger);
    await own.run(both.options({ isolation: 'inline' }).bind());
    await using host = await listen(own.middleware());
    expect((await refusal(host.port, '/echo')).status).toBe(426);
    const warnings = records.filter(({ level }) => level === 'warn').map(({ message }) => message);
    expect(warnings).toEqual([
      expect.stringContaining('call serve.attachWebSocket(server) with the server that listens'),
    ]);
  });

  test('to an app that takes none is answered as the request that it is', async () => {
    await using own = calmServe();
    await using host = await listen(own.middleware(plain.options({ isolation: 'inline' }).bind()));
    own.attachWebSocket(host.server);
    expect(await refusal(host.port, '/')).toMatchObject({ status: 200, body: 'plain' });
  });

  test('in pass-through is the app’s, or that of whoever comes behind', async () => {
    await using own = calmServe();
    const app = own.middleware(both.options({ isolation: 'inline' }).bind(), { passthrough: true });
    await using host = await listen((req, res) => app(req, res, () => res.end('behind')));
    own.attachWebSocket(host.server);
    expect(await refusal(host.port, '/x')).toMatchObject({ status: 200, body: 'http /x' });
  });
});

test('a refused upgrade whose body is still coming ends the connection, and nothing else', async () => {
  await using host = await listen(serve.middleware());
  serve.attachWebSocket(host.server);
  const socket = connect(host.port, '127.0.0.1');
  const head = [
    'POST /talk/echo HTTP/1.1',
    'Host: h',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Content-Length: 9',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\nabc`);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  await once(socket, 'close');
  expect(answer).toMatch(/^HTTP\/1.1 405 /);
});
