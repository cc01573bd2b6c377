import { once } from 'node:events';
import Koa, { type Middleware } from 'koa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { talker } from '../fixtures/http/sockets.ts';
import {
  calmServe,
  type Mount,
  type Mounted,
  recorder,
  sharedApp,
} from '../integration/every-framework/setup.ts';
import { mountExpress } from '../integration/express/mount.ts';
import { mountMiddie, mountPlugin } from '../integration/fastify/mount.ts';
import { mountKoa } from '../integration/koa/mount.ts';
import { json, RawClient, send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';

const { logger, records } = recorder();
const shared = sharedApp(logger);

const mountNode: Mount = ({ serve, app, options }) => listen(serve.middleware(app, options));

const MOUNTS: [string, Mount][] = [
  ['node:http', mountNode],
  ['Express', mountExpress],
  ['Koa', mountKoa],
  ['middie', mountMiddie],
  ['Fastify', mountPlugin],
];

/** Everything that comes back on a connection that its last request closes. */
async function exchange(port: number, ...lines: string[]): Promise<string> {
  using client = await RawClient.connect(port);
  client.head(...lines);
  return await client.closed();
}

describe.each(MOUNTS)('over %s', (_name, mount) => {
  let server: Mounted;
  beforeAll(async () => {
    server = await mount({ serve: shared.serve, app: shared.app });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test('twelve pipelined requests are answered without a warning', async () => {
    const warnings: Error[] = [];
    const listener = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listener);
    try {
      using client = await RawClient.connect(server.port);
      client.head('GET /wait/x?key=pipeline HTTP/1.1', 'Host: h');
      for (let index = 0; index < 12; index++) client.head(`GET /kind/number?${index} HTTP/1.1`, 'Host: h');
      await shared.probe.until.remote('pipeline:started');
      client.head('GET /kind/zero HTTP/1.1', 'Host: h', 'Connection: close');
      await shared.probe.open.remote('pipeline');
      expect((await client.closed()).match(/HTTP\/1.1 200 /g)).toHaveLength(14);
      // Warnings come in a tick of their own.
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings.filter(({ name }) => name === 'MaxListenersExceededWarning')).toEqual([]);
    } finally {
      process.off('warning', listener);
    }
  });

  test('TRACE is not supported, and no error of the app', async () => {
    const answer = await exchange(
      server.port,
      'TRACE /request/facade HTTP/1.1',
      'Host: h',
      'Connection: close',
    );
    expect(answer).toMatch(/^HTTP\/1.1 405 [\s\S]*\r\nallow: GET, HEAD, POST, /i);
    expect(records.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('the authority of an absolute target goes before the Host header', async () => {
    const urlOf = async (target: string, host: string): Promise<unknown> => {
      const answer = await exchange(
        server.port,
        `GET ${target} HTTP/1.1`,
        `Host: ${host}`,
        'Connection: close',
      );
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      return head.startsWith('HTTP/1.1 200') ? Reflect.get(JSON.parse(body), 'url') : head.slice(9, 12);
    };
    const target = 'http://named.example:81/request/echo?q';
    expect(await urlOf(target, 'other.example')).toBe(target);
    expect(await urlOf(target, 'no@host')).toBe(target);
    expect(await urlOf('HTTP://named.example/request/echo', 'other')).toBe(
      'http://named.example/request/echo',
    );
    expect(await urlOf('http://user@named.example/request/echo', 'other.example')).toBe('400');
  });

  test('a fragment in the target is refused: guards in front would have seen another path', async () => {
    for (const target of ['/kind/number#x', '/#/kind/number', '/kind/number?a#b', 'http://h/kind/number#x']) {
      const answer = await exchange(server.port, `GET ${target} HTTP/1.1`, 'Host: h', 'Connection: close');
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
    }
  });

  test.each(['foreign-response', 'foreign-response-of-node', 'foreign-response-without-body'])(
    'a Response of another implementation is one: %s',
    async (kind) => {
      const answer = await send(server.port, `/kind/${kind}`);
      expect(answer).toMatchObject({ status: 203, text: 'foreign' });
      expect(answer.headers).toMatchObject({
        'content-type': 'text/x-foreign',
        'set-cookie': ['a=1; Path=/', 'b=2'],
      });
    },
  );

  test('a Blob of another implementation is one', async () => {
    const { text, headers } = await send(server.port, '/kind/foreign-blob');
    expect([text, headers['content-type']]).toEqual(['blob', 'text/x-foreign']);
  });

  test('426 names what to upgrade to, and closes the connection where it was asked to', async () => {
    await using serve = calmServe();
    await using host = await mount({ serve, app: talker.options({ isolation: 'inline' }).bind() });
    const closing = await exchange(host.port, 'GET / HTTP/1.1', 'Host: h', 'Connection: close');
    expect(closing).toMatch(/^HTTP\/1.1 426 [\s\S]*\r\nupgrade: websocket\r\n/i);
    expect(closing).toMatch(/\r\nconnection: close, upgrade\r\n/i);
    expect(await exchange(host.port, 'GET / HTTP/1.0')).toMatch(/\r\nconnection: close, upgrade\r\n/i);
    using kept = await RawClient.connect(host.port);
    kept.head('GET / HTTP/1.1', 'Host: h');
    expect(await kept.until('speaks WebSocket')).toMatch(/\r\nconnection: upgrade\r\n/i);
    kept.head('GET / HTTP/1.1', 'Host: h', 'Connection: close');
    expect((await kept.closed()).match(/HTTP\/1.1 426 /g)).toHaveLength(2);
  });
});

test('TRACE goes on in pass-through', async () => {
  const app = shared.serve.middleware(shared.app, { passthrough: true });
  await using host = await listen((req, res) => app(req, res, () => res.end(`behind ${req.method}`)));
  const answer = await exchange(host.port, 'TRACE / HTTP/1.1', 'Host: h', 'Connection: close');
  expect(answer).toContain('behind TRACE');
});

test('the host’s own state is not to be cached', async () => {
  await using host = await listen((req, res) => {
    const { serve } = shared;
    if (req.url === '/health') serve.healthMiddleware()(req, res);
    else if (req.url === '/metrics') serve.metricsMiddleware()(req, res);
    else serve.middleware()(req, res);
  });
  for (const path of ['/health', '/metrics', '/-/routes', '/-/healthz'])
    expect((await send(host.port, path)).headers['cache-control'], path).toBe('no-store');
});

describe('an upgrade that is refused', () => {
  const HANDSHAKE = ['Host: h', 'Upgrade: websocket', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];

  test('says which version, protocol and method it wants', async () => {
    await using serve = calmServe();
    await serve.run(talker.options({ isolation: 'inline' }).bind());
    await using host = await listen(serve.middleware());
    serve.attachWebSocket(host.server);
    const upgrade = (line: string, version: number): Promise<string> =>
      exchange(host.port, line, ...HANDSHAKE, 'Connection: Upgrade', `Sec-WebSocket-Version: ${version}`);
    const wrong = await upgrade('GET /echo HTTP/1.1', 12);
    expect(wrong).toMatch(/^HTTP\/1.1 426 /);
    for (const header of ['sec-websocket-version: 13', 'upgrade: websocket', 'connection: close, upgrade'])
      expect(wrong.toLowerCase()).toContain(`\r\n${header}\r\n`);
    expect(await upgrade('POST /echo HTTP/1.1', 13)).toMatch(/^HTTP\/1.1 405 [\s\S]*\r\nallow: GET\r\n/i);
    expect(await upgrade('GET /echo#x HTTP/1.1', 13)).toMatch(/^HTTP\/1.1 400 /);
  });
});

describe('Koa middleware in front that neither awaits nor returns next()', () => {
  const careless: Middleware = (_ctx, next) => {
    next().catch(() => {});
  };

  async function answersOf(...behind: Middleware[]): Promise<unknown[]> {
    const host = new Koa();
    host.silent = true;
    host.use(careless);
    for (const middleware of behind) host.use(middleware);
    await using server = await listen(host.callback());
    const { status, text, headers } = await send(server.port, '/none');
    return [status, text, headers['x-front'], headers['content-type']];
  }

  const front: Middleware = (ctx, next) => {
    ctx.set('x-front', 'yes');
    return next();
  };
  const ours = (options: object): Middleware => shared.serve.middleware(shared.app, options);

  test.each<[string, Middleware]>([
    [
      'late',
      async (ctx, next) => {
        await new Promise((resolve) => setImmediate(resolve));
        ctx.body = 'late';
        await next();
      },
    ],
    [
      'at once',
      (ctx) => {
        ctx.status = 201;
        ctx.body = { at: 'once' };
      },
    ],
    ['never', () => {}],
  ])(
    'is answered as without us in pass-through, where the next handler answers %s',
    async (_when, behind) => {
      expect(await answersOf(front, ours({ passthrough: true }), behind)).toEqual(
        await answersOf(front, behind),
      );
    },
  );

  test('gets 404 for an error that is handed on, and the answer of the app otherwise', async () => {
    const host = new Koa().use(careless).use(ours({ onError: 'next' }));
    host.silent = true;
    await using server = await listen(host.callback());
    expect((await send(server.port, '/fail/error')).status).toBe(404);
    expect((await send(server.port, '/kind/number')).text).toBe('0.5');
    expect(json(await send(server.port, '/kind/object'))).toEqual({ a: [1, 'zwei', null] });
  });
});

test('one listener is enough for the end of a socket', async () => {
  const counts: number[] = [];
  await using host = await listen((req, res) => {
    shared.serve.middleware(shared.app)(req, res);
    counts.push(req.socket.listenerCount('close'));
  });
  using client = await RawClient.connect(host.port);
  for (let index = 0; index < 20; index++) client.head('GET /kind/number HTTP/1.1', 'Host: h');
  client.socket.end();
  await once(client.socket, 'close');
  expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
});
