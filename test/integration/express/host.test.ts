import { AsyncLocalStorage } from 'node:async_hooks';
import { createGunzip, gunzipSync } from 'node:zlib';
import express, { type Express, type RequestHandler } from 'express';
import { describe, expect, test } from 'vitest';
import type { MiddlewareOptions } from '../../../src/index.ts';
import { json, open, RawClient, send } from '../../support/http/client.ts';
import { compress } from '../../support/http/compress.ts';
import { listen } from '../../support/http/listen.ts';
import { HAS_OLD_FRAMEWORKS } from '../../support/old-frameworks.ts';
import { type Mounted, ongoing, outcomes, sharedApp } from '../every-framework/setup.ts';

const shared = sharedApp();

type MakeMiddleware = (options?: MiddlewareOptions) => RequestHandler;

/** An Express app around the probe, for one test. */
function hosted(build: (host: Express, middleware: MakeMiddleware) => void): Promise<Mounted> {
  const host = express();
  build(host, (options) => shared.serve.middleware(shared.app, options));
  return listen(host);
}

describe('trust proxy', () => {
  const forwarded = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'public.example',
    'x-forwarded-for': '203.0.113.7, 10.0.0.1',
    host: 'inner:3000',
  };
  const look = async (port: number, headers: Record<string, string>) => ({
    url: (json(await send(port, '/app/request/echo?q', { headers })) as { url: string }).url,
    ip: (json(await send(port, '/app/context', { headers })) as { ip: string }).ip,
  });

  test('off: what the proxy says is not believed', async () => {
    await using host = await hosted((app, middleware) => app.use('/app', middleware()));
    expect(await look(host.port, forwarded)).toEqual({
      url: 'http://inner:3000/request/echo?q',
      ip: '127.0.0.1',
    });
  });

  test('on: scheme, host and address are those of the client', async () => {
    await using host = await hosted((app, middleware) => {
      app.set('trust proxy', true).use('/app', middleware());
    });
    expect(await look(host.port, forwarded)).toEqual({
      url: 'https://public.example/request/echo?q',
      ip: '203.0.113.7',
    });
    const url = async (proto: string) =>
      (await look(host.port, { ...forwarded, 'x-forwarded-proto': proto })).url;
    expect(await url('javascript')).toMatch(/^http:/);
    expect(await url('wss')).toMatch(/^https:/);
    const bad = await send(host.port, '/app/context', {
      headers: { ...forwarded, 'x-forwarded-host': 'a/b' },
    });
    expect(bad.status).toBe(400);
  });

  test('one hop: as Express counts', async () => {
    await using host = await hosted((app, middleware) => {
      app.set('trust proxy', 1).use('/app', middleware());
    });
    expect((await look(host.port, forwarded)).ip).toBe('10.0.0.1');
  });
});

test('parameters of the mount path are in the context', async () => {
  await using host = await hosted((app, middleware) => {
    const router = express.Router({ mergeParams: true }).use('/models/:model', middleware());
    app.use('/tenants/:tenant', router);
    app.get(HAS_OLD_FRAMEWORKS ? '/context/:path(*)' : '/context/*path', middleware());
  });
  const params = async (path: string) => (json(await send(host.port, path)) as { params: object }).params;
  expect(await params('/tenants/a%20b/models/m/context')).toEqual({ tenant: 'a b', model: 'm' });
  expect(await params('/context/a/b%2Fc')).toMatchObject({ path: 'a/b/c' });
});

test('a route that is no mount keeps the URL', async () => {
  await using host = await hosted((app, middleware) => app.post('/request/:what', middleware()));
  const answer = await send(host.port, '/request/echo', { method: 'POST', body: '' });
  expect((json(answer) as { url: string }).url).toMatch(/\/request\/echo$/);
  expect((await send(host.port, '/request/echo')).status).toBe(404);
});

describe('the async context of the host', () => {
  const storage = new AsyncLocalStorage<string>();
  const enter: RequestHandler = (req, _res, next) => storage.run(`of ${req.url}`, next);

  test('is there in the hooks, also when a body is read first', async () => {
    await using host = await hosted((app, middleware) => {
      app.use(
        enter,
        middleware({ locals: () => storage.getStore(), call: () => ({ tenant: storage.getStore() }) }),
      );
    });
    const answer = await send(host.port, '/context', { method: 'POST', body: 'small' });
    expect(json(answer)).toMatchObject({ locals: 'of /context', tenant: 'of /context' });
  });

  test('is there behind us, and in error handlers', async () => {
    await using host = await hosted((app, middleware) => {
      app.use(enter, middleware({ passthrough: true, onError: 'next' }));
      app.use((_req, res) => void res.json({ behind: storage.getStore() }));
      app.use(((_error, _req, res, _next) => {
        res.json({ failed: storage.getStore() });
      }) as express.ErrorRequestHandler);
    });
    const both = await Promise.all([send(host.port, '/none'), send(host.port, '/fail/error')]);
    expect(both.map(json)).toEqual([{ behind: 'of /none' }, { failed: 'of /fail/error' }]);
  });
});

describe('other middleware', () => {
  test('headers that the host has set stay, and add up where they may', async () => {
    await using host = await hosted((app, middleware) => {
      app.use((_req, res, next) => {
        res.setHeader('x-host', 'yes').setHeader('set-cookie', 'host=1').setHeader('vary', 'Origin');
        next();
      }, middleware());
    });
    const answer = await send(host.port, '/kind/cookies');
    expect(answer.headers).toMatchObject({
      'x-host': 'yes',
      'set-cookie': ['host=1', 'one=1; Path=/', 'two=2; HttpOnly'],
      vary: 'Origin',
    });
  });

  test('one that has answered meanwhile is not disturbed, and the call is cancelled', async () => {
    const before = await outcomes(shared.serve, 'cancelled');
    let answer: () => void = () => {};
    await using host = await hosted((app, middleware) => {
      app.use((_req, res, next) => {
        answer = () => void res.status(503).send('too slow');
        next();
      }, middleware());
    });
    using client = await RawClient.connect(host.port);
    client.head('GET /wait/x?key=slow HTTP/1.1', 'Host: h');
    await shared.probe.until.remote('slow:started');
    answer();
    await client.until('too slow');
    await shared.probe.until.remote('slow:aborted:SERVE_CANCELLED');
    await shared.probe.open.remote('slow');
    await shared.probe.until.remote('slow:ended');
    // The connection is as good as before.
    answer = () => {};
    client.head('GET /kind/number HTTP/1.1', 'Host: h');
    await client.until(/\r\n\r\n0\.5$/);
    expect(await outcomes(shared.serve, 'cancelled')).toBe(before + 1);
  });

  test('one that has begun to answer: the connection is cut, nothing is mixed', async () => {
    await using host = await hosted((app, middleware) => {
      app.use((_req, res, next) => {
        res.write('mine');
        next();
      }, middleware());
    });
    await expect(send(host.port, '/kind/text')).rejects.toThrow('aborted');
    await expect.poll(() => ongoing(shared.serve)).toBe(0);
  });

  test('a client that left during one never gets to the app', async () => {
    const before = await outcomes(shared.serve, 'cancelled');
    const gone = Promise.withResolvers<void>();
    const passed = Promise.withResolvers<void>();
    await using host = await hosted((app, middleware) => {
      app.use(async (_req, res, next) => {
        gone.resolve();
        await new Promise((resolve) => res.once('close', resolve));
        next();
        passed.resolve();
      }, middleware());
    });
    using client = await RawClient.connect(host.port);
    client.head('GET /wait/x?key=early HTTP/1.1', 'Host: h');
    await gone.promise;
    client.socket.destroy();
    await passed.promise;
    expect(await shared.probe.count.remote('early:started')).toBe(0);
    expect(await outcomes(shared.serve, 'cancelled')).toBe(before + 1);
  });
});

describe('compression in front', () => {
  test('whole answers, and chunks that are flushed as they come', async () => {
    await using host = await hosted((app, middleware) => app.use(compress, middleware()));
    const whole = await send(host.port, '/kind/text');
    expect(whole.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(whole.body).toString()).toBe('grüße');

    // A few bytes at a time, of a stream without an end: gzip alone would hold them back.
    const response = await open(host.port, '/stream/ticking?key=flushed');
    let text = '';
    for await (const chunk of response.pipe(createGunzip())) {
      text += chunk;
      if (text.includes('tick 3')) break;
    }
    response.destroy();
    await shared.probe.until.remote('flushed:finally');
  });

  test('large answers, and streams that end early', async () => {
    await using host = await hosted((app, middleware) => app.use(compress, middleware()));
    const large = await send(host.port, '/kind/response-large');
    expect(gunzipSync(large.body)).toHaveLength(10 * 1_048_576);
    const leaving = await open(host.port, '/stream/endless?key=zipped');
    leaving.destroy();
    await shared.probe.until.remote('zipped:finally');
  });
});
