import express from 'express';
import { describe, expect, test } from 'vitest';
import type { Serve } from '../../src/index.ts';
import { hub } from '../fixtures/batching/batching.ts';
import { asked, observed, requests } from '../fixtures/observed/observed.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe, type Records } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { eventually } from '../support/until.ts';

/** The samples of one metric, as the scrape has them. */
async function samples(serve: Serve, metric: string): Promise<string[]> {
  return (await serve.metrics()).split('\n').filter((line) => line.startsWith(`${metric}{`));
}

const URL_OF = ({ port }: { port: number }) => `http://127.0.0.1:${port}`;

/** Node's parser lets them through. */
const ODD_METHODS = ['PROPFIND', 'MKCOL', 'LOCK', 'REPORT', 'SEARCH'];

/** Records of user code's lines, without what the library says. */
function linesOf(log: Records): Array<{ level: string; fields: object; message: string }> {
  return log.records.filter(({ message }) => message.startsWith('line'));
}

describe('metrics of HTTP', () => {
  test('69: one OK, one 500 and one 404 are counted by route, method and status; the 404 has no route', async () => {
    await using serve = quietServe();
    await serve.run(requests.bind(), { name: 'shop', routePrefix: '/shop' });
    await using server = await listen(serve.middleware());
    const get = async (path: string) => (await fetch(URL_OF(server) + path)).status;
    expect([await get('/shop/ok'), await get('/shop/fail'), await get('/elsewhere')]).toEqual([
      200, 500, 404,
    ]);
    expect((await samples(serve, 'serve_http_requests_total')).sort()).toEqual([
      'serve_http_requests_total{app="",deployment="",route="",method="GET",status_code="404"} 1',
      'serve_http_requests_total{app="shop",deployment="Requests",route="/shop",method="GET",status_code="200"} 1',
      'serve_http_requests_total{app="shop",deployment="Requests",route="/shop",method="GET",status_code="500"} 1',
    ]);
    // As calls of the deployment, by how they ended; the last one reached none.
    expect((await samples(serve, 'serve_requests_total')).sort()).toEqual([
      'serve_requests_total{app="shop",deployment="Requests",method="http",outcome="error"} 1',
      'serve_requests_total{app="shop",deployment="Requests",method="http",outcome="ok"} 1',
    ]);
    const [count] = await samples(serve, 'serve_request_duration_seconds_count');
    expect(count).toContain('deployment="Requests"');
    // What an app counted stays, and goes on when it comes again.
    await serve.delete('shop');
    expect(await samples(serve, 'serve_http_requests_total')).toHaveLength(3);
    await serve.run(requests.bind(), { name: 'shop', routePrefix: '/shop' });
    expect(await get('/shop/ok')).toBe(200);
    expect(await samples(serve, 'serve_http_requests_total')).toContain(
      'serve_http_requests_total{app="shop",deployment="Requests",route="/shop",method="GET",status_code="200"} 2',
    );
  });

  test('69: an app that is mounted says where; an answer of its own is counted with it, one of the host is not', async () => {
    await using serve = quietServe();
    const app = express();
    const options = { name: 'shop', path: '/shop', passthrough: true } as const;
    const middleware = serve.middleware(requests.bind(), options);
    app.use('/shop', middleware);
    app.use((_req, res) => void res.status(404).end());
    await middleware.ready();
    await using server = await listen(app);
    const ask = async (path: string, method = 'GET') =>
      (await fetch(URL_OF(server) + path, { method })).status;
    expect([await ask('/shop/gone'), await ask('/shop/ok', 'HEAD'), await ask('/other')]).toEqual([
      404, 200, 404,
    ]);
    expect(await samples(serve, 'serve_http_requests_total')).toEqual([
      'serve_http_requests_total{app="shop",deployment="Requests",route="/shop",method="HEAD",status_code="200"} 1',
    ]);
  });

  test('security row 30: whatever clients and callers make up, labels stay few', async () => {
    await using serve = quietServe();
    const handle = await serve.run(requests.bind(), { name: 'shop', routePrefix: '/shop' });
    await using server = await listen(serve.middleware());
    const untyped = handle as unknown as Record<string, { remote(): Promise<unknown> }>;
    const attacks = Array.from({ length: 300 }, async (_, n) => {
      await untyped[`method${n}`]?.remote().catch(() => {});
      await handle
        .options({ tenant: `tenant ${n}`, sessionId: `session ${n}` })
        .remote(new Request('http://localhost/ok'));
      const init = {
        method: ODD_METHODS[n % ODD_METHODS.length] as string,
        headers: { 'x-request-id': `id-${n}` },
      };
      await fetch(`${URL_OF(server)}/shop/${n}?status=${100 + n}`, init).then((answer) => answer.text());
      await fetch(`${URL_OF(server)}/${n}`).then((answer) => answer.text());
    });
    await Promise.all(attacks);
    expect(await samples(serve, 'serve_http_requests_total')).toEqual([
      expect.stringMatching(/app="",deployment="",route="",method="GET",status_code="404"\} 300$/),
      expect.stringMatching(
        /app="shop",deployment="Requests",route="\/shop",method="other",status_code="200"\} 300$/,
      ),
    ]);
    expect((await samples(serve, 'serve_requests_total')).sort()).toEqual([
      expect.stringMatching(/method="call",outcome="ok"\} 300$/),
      expect.stringMatching(/method="http",outcome="ok"\} 300$/),
      expect.stringMatching(/method="other",outcome="error"\} 300$/),
    ]);
  });

  test("security row 32: a hostile model id is the client's mistake, and loads nothing", async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const call = ({ headers }: { headers: NodeJS.Dict<string | string[]> }) => ({
      multiplexedModelId: String(headers['x-model']),
    });
    const middleware = serve.middleware(hub.bind(shared.buffer), { call });
    await middleware.ready();
    await using server = await listen(middleware);
    const ask = async (model: string) => await fetch(URL_OF(server), { headers: { 'x-model': model } });
    for (const model of ['../../etc/passwd', 'a/../../b', '/etc/passwd', 'a%2f..', 'x'.repeat(300)]) {
      const answer = await ask(model);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    }
    expect(serve.log.records.filter(({ level }) => level === 'error')).toEqual([]);
    expect(shared.get(0)).toBe(0);
    expect(await (await ask('de')).json()).toMatchObject({ model: 'de' });
    const handle = serve.handle<typeof import('../fixtures/batching/batching.ts').Hub>('Hub');
    expect(() => handle.options({ multiplexedModelId: '../x' })).toThrow(
      expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }),
    );
  });
});

describe('logs', () => {
  test('70: each line inside a request says which, at the ingress and below it', async () => {
    await using serve = quietServe();
    await serve.run(asked.bind(observed.bind()), { name: 'ask', routePrefix: '/ask' });
    await using server = await listen(serve.middleware());
    await fetch(`${URL_OF(server)}/ask/1`, { headers: { 'x-request-id': 'r-1' } });
    await eventually(() => linesOf(serve.log).length >= 3);
    const request = { requestId: 'r-1', route: '/ask', app: 'ask' };
    const below = { ...request, deployment: 'Observed', replica: expect.stringMatching(/^Observed#/) };
    const above = { ...request, deployment: 'Asked', replica: expect.stringMatching(/^Asked#/) };
    const lines = linesOf(serve.log);
    expect(lines.filter(({ fields }) => Reflect.get(fields, 'deployment') === 'Asked')).toEqual([
      { level: 'info', fields: above, message: 'line at the ingress' },
      { level: 'warn', fields: above, message: 'line after its child' },
    ]);
    expect(lines.filter(({ fields }) => Reflect.get(fields, 'deployment') === 'Observed')).toEqual([
      { level: 'info', fields: below, message: 'line of the child' },
    ]);
  });

  test('70: a call that belongs to no HTTP request has no route; code outside a call has no request', async () => {
    await using serve = quietServe();
    const handle = await serve.run(observed.bind());
    const call = handle.line.remote();
    await call;
    await handle.later.remote();
    await eventually(() => linesOf(serve.log).length >= 2);
    const place = { app: 'Observed', deployment: 'Observed', replica: expect.any(String) };
    expect(linesOf(serve.log).map(({ fields }) => fields)).toEqual([
      { ...place, requestId: call.requestId, route: '' },
      place,
    ]);
  });

  test("70: the access log is each deployment's own, and names the replica", async () => {
    await using serve = quietServe();
    const logging = { accessLog: true };
    await serve.run(requests.options({ logging }).bind(), { name: 'loud', routePrefix: '/loud' });
    await serve.run(requests.options({ name: 'Quiet' }).bind(), { name: 'quiet', routePrefix: '/quiet' });
    await using server = await listen(serve.middleware());
    for (const path of ['/loud/ok', '/quiet/ok', '/loud/fail', '/quiet/fail'])
      await fetch(URL_OF(server) + path, { headers: { 'x-request-id': `id${path}` } });
    const access = serve.log.records.filter(({ message }) => message.startsWith('GET '));
    const replica = expect.stringMatching(/^Requests#/);
    const about = { app: 'loud', deployment: 'Requests', route: '/loud', method: 'GET', replica };
    expect(access).toMatchObject([
      { level: 'info', fields: { ...about, requestId: 'id/loud/ok', path: '/loud/ok', statusCode: 200 } },
      { level: 'info', fields: { ...about, requestId: 'id/loud/fail', path: '/loud/fail', statusCode: 500 } },
    ]);
    // What failed is in the log of errors, with the same names on it, wherever the access log is off.
    const failures = serve.log.records.filter(({ level }) => level === 'error');
    expect(failures).toMatchObject([
      { fields: { requestId: 'id/loud/fail', app: 'loud', route: '/loud' } },
      { fields: { requestId: 'id/quiet/fail', app: 'quiet', deployment: 'Quiet', route: '/quiet' } },
    ]);
    // It is switched on and off in place.
    await serve.run(requests.options({ logging: { accessLog: false } }).bind(), {
      name: 'loud',
      routePrefix: '/loud',
    });
    const before = serve.log.records.length;
    await fetch(`${URL_OF(server)}/loud/ok`);
    expect(serve.log.records.length).toBe(before);
  });
});
