import { AsyncLocalStorage } from 'node:async_hooks';
import { gunzipSync } from 'node:zlib';
import Router from '@koa/router';
import Koa, { type Context, type Middleware } from 'koa';
import mount from 'koa-mount';
import { describe, expect, test } from 'vitest';
import { koaServe } from '../../../src/shells/koa.ts';
import { json, open, RawClient, send } from '../../support/http/client.ts';
import { compress } from '../../support/http/compress.ts';
import { listen } from '../../support/http/listen.ts';
import { sharedApp } from '../every-framework/setup.ts';

const shared = sharedApp();

/** A Koa app around the probe, for one test. */
function hosted(build: (host: Koa, ours: (options?: Parameters<typeof koaServe>[1]) => Middleware) => void) {
  const host = new Koa();
  host.silent = true;
  build(host, (options) => koaServe(shared.app, { serve: shared.serve, ...options }));
  return listen(host.callback());
}

function answer(ctx: { body: unknown }, body: object): void {
  ctx.body = body;
}

describe('what Koa says of a request', () => {
  const forwarded = {
    'x-forwarded-proto': 'https',
    'x-forwarded-host': 'public.example',
    'x-forwarded-for': '203.0.113.7, 10.0.0.1',
    host: 'inner:3000',
  };
  const look = async (port: number) => ({
    url: (json(await send(port, '/app/request/echo?q', { headers: forwarded })) as { url: string }).url,
    ip: (json(await send(port, '/app/context', { headers: forwarded })) as { ip: string }).ip,
  });

  test('a proxy is not believed by itself', async () => {
    await using host = await hosted((app, ours) => app.use(mount('/app', ours())));
    expect(await look(host.port)).toEqual({ url: 'http://inner:3000/request/echo?q', ip: '127.0.0.1' });
  });

  test('with `app.proxy` scheme, host and address are those of the client', async () => {
    await using host = await hosted((app, ours) => {
      app.proxy = true;
      app.use(mount('/app', ours()));
    });
    expect(await look(host.port)).toEqual({
      url: 'https://public.example/request/echo?q',
      ip: '203.0.113.7',
    });
  });

  test('parameters of a route are in the context; a route is no mount', async () => {
    await using host = await hosted((app, ours) => {
      app.use(new Router().all('/context/:model', ours()).routes());
    });
    const seen = json(await send(host.port, '/context/a%20b'));
    expect(seen).toMatchObject({ params: { model: 'a b' }, mountPath: '' });
  });

  test('hooks are given the context of Koa', async () => {
    const user: Middleware = (ctx, next) => {
      ctx.state['user'] = { name: 'ada' };
      return next();
    };
    await using host = await hosted((app, ours) => {
      app
        .use(user)
        .use(ours({ locals: (ctx) => ctx.state['user'], call: (ctx) => ({ tenant: ctx.get('x-t') }) }));
    });
    const seen = json(await send(host.port, '/context', { headers: { 'x-t': 'acme' } }));
    expect(seen).toMatchObject({ locals: { name: 'ada' }, tenant: 'acme' });
  });
});

describe('middleware in front', () => {
  test('waits for the whole exchange, and sees how it went', async () => {
    const seen: unknown[] = [];
    const log: Middleware = async (ctx, next) => {
      await next();
      seen.push([ctx.path, ctx.status, ctx.res.writableEnded, ctx.get('host') !== '']);
    };
    await using host = await hosted((app, ours) => app.use(log).use(ours()));
    await send(host.port, '/kind/no-content');
    await send(host.port, '/kind/generator');
    await send(host.port, '/fail/exposed');
    expect(seen).toEqual([
      ['/kind/no-content', 204, true, true],
      ['/kind/generator', 200, true, true],
      ['/fail/exposed', 418, true, true],
    ]);
  });

  test('is let go when the client leaves, with the status that the metrics have as well', async () => {
    const left = Promise.withResolvers<number>();
    const wait: Middleware = async (ctx, next) => {
      await next();
      left.resolve(ctx.status);
    };
    await using host = await hosted((app, ours) => app.use(wait).use(ours()));
    using client = await RawClient.connect(host.port);
    client.head('GET /wait/x?key=koa-left HTTP/1.1', 'Host: h');
    await shared.probe.until.remote('koa-left:started');
    client.socket.destroy();
    expect(await left.promise).toBe(499);
    await shared.probe.open.remote('koa-left');
  });

  test('that had a body in mind leaves nothing of it', async () => {
    const preset: Middleware = (ctx, next) => {
      ctx.body = 'something else';
      ctx.set('x-kept', 'yes');
      return next();
    };
    await using host = await hosted((app, ours) => app.use(preset).use(ours()));
    const streamed = await send(host.port, '/kind/generator');
    expect(streamed).toMatchObject({ status: 200, text: 'one,two', headers: { 'x-kept': 'yes' } });
    expect((await send(host.port, '/kind/number')).text).toBe('0.5');
    expect(await send(host.port, '/kind/no-content')).toMatchObject({ status: 204, text: '' });
  });

  test('may compress the answer, streams as they come', async () => {
    const zip: Middleware = (ctx, next) => {
      compress(ctx.req, ctx.res, () => {});
      return next();
    };
    await using host = await hosted((app, ours) => app.use(zip).use(ours()));
    const whole = await send(host.port, '/kind/text');
    expect(whole.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(whole.body).toString()).toBe('grüße');
    const leaving = await open(host.port, '/stream/endless?key=koa-zipped');
    leaving.destroy();
    await shared.probe.until.remote('koa-zipped:finally');
  });
});

describe('middleware behind', () => {
  test('answers what the app does not know as if we were not there', async () => {
    await using host = await hosted((app, ours) => {
      app.use(ours({ passthrough: true }));
      app.use(new Router().get('/mine', (ctx) => answer(ctx, { mine: ctx.respond ?? 'unset' })).routes());
    });
    const mine = await send(host.port, '/mine');
    expect(json(mine)).toEqual({ mine: 'unset' });
    expect(mine.headers['x-request-id']).toBeUndefined();
    expect(await send(host.port, '/nobody')).toMatchObject({ status: 404, text: 'Not Found' });
  });

  test('fails as it would by itself', async () => {
    await using host = await hosted((app, ours) => {
      app.use(ours({ passthrough: true }));
      app.use((ctx) => ctx.throw(409, 'taken', { headers: { 'x-why': 'taken' } }));
    });
    const answer = await send(host.port, '/nobody');
    expect(answer).toMatchObject({ status: 409, text: 'taken', headers: { 'x-why': 'taken' } });
  });

  test('keeps the async context, and so do hooks', async () => {
    const storage = new AsyncLocalStorage<string>();
    await using host = await hosted((app, ours) => {
      app.use((ctx, next) => storage.run(ctx.path, next));
      app.use(ours({ passthrough: true, locals: () => storage.getStore() }));
      app.use((ctx) => answer(ctx, { behind: storage.getStore() }));
    });
    expect(json(await send(host.port, '/context'))).toMatchObject({ locals: '/context' });
    expect(json(await send(host.port, '/nobody'))).toEqual({ behind: '/nobody' });
  });
});

describe("onError: 'next' throws", () => {
  test('and middleware in front may answer', async () => {
    const handle: Middleware = async (ctx, next) => {
      try {
        await next();
      } catch (error) {
        const { status, code, expose, message } = error as Error & Record<string, unknown>;
        ctx.status = 200;
        ctx.body = { status, code, expose, message };
      }
    };
    await using host = await hosted((app, ours) => app.use(handle).use(ours({ onError: 'next' })));
    const get = async (name: string) => json(await send(host.port, `/fail/${name}`));
    expect(await get('exposed')).toEqual({
      status: 418,
      code: 'TEAPOT',
      expose: true,
      message: 'no more tea',
    });
    expect(await get('SERVE_TIMEOUT')).toMatchObject({ status: 504, code: 'SERVE_TIMEOUT', expose: false });
    expect(await get('string')).toMatchObject({ status: 500, message: 'secret text' });
  });

  test("and Koa's own handler answers with status and headers, and tells the app", async () => {
    const told: [number, string][] = [];
    await using host = await hosted((app, ours) => {
      app.on('error', (error: { status: number }, ctx: Context) => told.push([error.status, ctx.path]));
      app.use(ours({ onError: 'next' }));
    });
    const refused = await send(host.port, '/fail/SERVE_BACKPRESSURE');
    expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
    expect(await send(host.port, '/fail/error')).toMatchObject({
      status: 500,
      text: 'Internal Server Error',
    });
    await expect(send(host.port, '/stream/breaking')).rejects.toThrow('aborted');
    expect(told).toEqual([
      [503, '/fail/SERVE_BACKPRESSURE'],
      [500, '/fail/error'],
    ]);
  });
});
