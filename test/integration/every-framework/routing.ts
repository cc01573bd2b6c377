import { describe, expect, test } from 'vitest';
import type { MiddlewareOptions } from '../../../src/index.ts';
import { probe } from '../../fixtures/http/probe.ts';
import { asFunction } from '../../fixtures/http/shapes.ts';
import { json, RawClient, send } from '../../support/http/client.ts';
import { calmServe, type Mount, sharedApp, sharedProbe } from './setup.ts';

/** Which app gets a request. */
export function routing(mount: Mount): void {
  describe('middleware without an app', () => {
    test('16, 17: health and routes; the longest prefix wins, on segment borders', async () => {
      await using serve = calmServe();
      await using server = await mount({ serve });
      const get = async (path: string) => {
        const answer = await send(server.port, path);
        return answer.status === 200 ? answer.text : answer.status;
      };
      expect(await send(server.port, '/-/healthz')).toMatchObject({ status: 503 });
      const named = (name: string) => asFunction.options({ name });
      await serve.run(named('a').bind(), { name: 'a', routePrefix: '/a' });
      expect(await send(server.port, '/-/healthz')).toMatchObject({ status: 200, text: 'success' });
      expect(await get('/')).toBe(404);
      await Promise.all([
        serve.run(probe.bind(), { name: 'ab', routePrefix: '/a/b' }),
        serve.run(named('hidden').bind(), { name: 'hidden', routePrefix: null }),
      ]);
      expect(await get('/a')).toBe('function /');
      expect(await get('/a/')).toBe('function /');
      expect(await get('/a?q')).toBe('function /');
      expect(await get('/a/x')).toBe('function /x');
      expect(await get('/a/bc')).toBe('function /bc');
      expect(await get('/a/b/kind/number')).toBe('0.5');
      expect(await get('/a/b?key=x')).toBe(404);
      expect(await get('/ab')).toBe(404);
      expect(await get('/hidden')).toBe(404);
      expect(await get('/A')).toBe(404);
      expect(json(await send(server.port, '/-/routes'))).toEqual({ '/a': 'a', '/a/b': 'ab' });
      await serve.run(named('root').bind(), { name: 'root' });
      expect(await get('/ab')).toBe('function /ab');
      expect(await get('/')).toBe('function /');
      expect(json(await send(server.port, '/a/b/none'))).toEqual({ missing: '/none' });
      expect(json(await send(server.port, '/a/b/context'))).toMatchObject({ mountPath: '/a/b' });

      using client = await RawClient.connect(server.port);
      client.head('GET http://h/a/b/kind/number HTTP/1.1', 'Host: h', 'Connection: close');
      expect(await client.closed()).toMatch(/\r\n\r\n0\.5$/);

      await serve.delete('ab');
      expect(await get('/a/b/x')).toBe('function /b/x');
      await serve.close();
      expect(await get('/a')).toBe(503);
      expect(await get('/-/healthz')).toBe(503);
    });

    test('17: what belongs to no app is 404 with problem details', async () => {
      await using serve = calmServe();
      await using server = await mount({ serve });
      const answer = await send(server.port, '/none', { headers: { 'x-request-id': 'lost' } });
      expect(answer).toMatchObject({ status: 404, headers: { 'x-request-id': 'lost' } });
      expect(json(answer)).toMatchObject({ status: 404, code: 'SERVE_NOT_FOUND', requestId: 'lost' });
    });
  });
}

/**
 * For frameworks whose middleware is mounted at a path and has others behind it.
 *
 * @param options trimsSlash: a mount at `/a` takes the first slash of `/a//b` away, too
 */
export function mounting(mount: Mount, { trimsSlash = false } = {}): void {
  describe('under a mount path', () => {
    const shared = sharedProbe(mount, {}, '/mounted/here');

    test.each([
      ['/mounted/here/request/echo?q=1', '/request/echo?q=1'],
      ['http://h/mounted/here/request/echo', '/request/echo'],
      ['/mounted/here//request/echo', trimsSlash ? '/request/echo' : '//request/echo'],
    ])('26: %s: the ingress sees the URL without it', async (target, rest) => {
      using client = await RawClient.connect(shared.port);
      client.head(`GET ${target} HTTP/1.1`, 'Host: h', 'Connection: close');
      const answer = await client.closed();
      expect(answer).toContain(rest.startsWith('//') ? '"missing":' : `"url":"http://h${rest}"`);
    });

    test('the context knows it', async () => {
      for (const target of [
        '/mounted/here/context',
        '/mounted/here/context?q=/context',
        'http://h/mounted/here/context',
      ]) {
        using client = await RawClient.connect(shared.port);
        client.head(`GET ${target} HTTP/1.1`, 'Host: h', 'Connection: close');
        expect(await client.closed()).toContain('"mountPath":"/mounted/here"');
      }
    });

    test.each(['relative', 'absolute'])('26: a redirect stays below it: %s', async (kind) => {
      const url = `http://127.0.0.1:${shared.port}/mounted/here/redirect/${kind}`;
      const followed = await fetch(url, { method: 'POST', body: 'x' });
      expect(followed.url).toBe(`http://127.0.0.1:${shared.port}/mounted/here/kind/number`);
      expect(await followed.text()).toBe('0.5');
    });

    test('itself is the root', async () => {
      expect(json(await send(shared.port, '/mounted/here'))).toEqual({ missing: '/' });
    });
  });

  describe('passthrough', () => {
    const shared = sharedApp();
    const mounted = (options: MiddlewareOptions) =>
      mount({ serve: shared.serve, app: shared.app, options, behind: true });
    const post = (port: number, path: string, body: string | Uint8Array) =>
      send(port, path, { method: 'POST', body, headers: { 'content-type': 'application/json' } });

    test.each([
      ['small', JSON.stringify({ hello: 'behind' })],
      ['large', JSON.stringify({ hello: 'x'.repeat(90_000) })],
    ])(
      'a %s body of a request that the app answers with 404 is there for those behind',
      async (_name, body) => {
        await using serve = calmServe();
        await using server = await mount({
          serve,
          app: probe.bind(),
          options: { passthrough: true },
          behind: true,
        });
        const answer = await post(server.port, '/none', body);
        expect(json(answer)).toEqual({ behind: JSON.parse(body) });
        expect(answer.headers['x-request-id']).toBeUndefined();
        // Its own routes it answers itself, bodies and all.
        expect((await post(server.port, '/request/text', body)).text).toBe(JSON.stringify({ text: body }));
        expect((await post(server.port, '/kind/number', body)).text).toBe('0.5');
      },
    );

    test('a 404 that the app throws is passed on as well, but not that of a call that it made', async () => {
      await using server = await mounted({ passthrough: true });
      expect(json(await send(server.port, '/fail/not-found'))).toEqual({ behind: null });
      expect((await send(server.port, '/fail/SERVE_NOT_FOUND')).status).toBe(404);
      expect(json(await send(server.port, '/fail/SERVE_NOT_FOUND'))).toMatchObject({
        code: 'SERVE_NOT_FOUND',
      });
    });

    test('a 404 of an app that read the body is its answer', async () => {
      await using server = await mounted({ passthrough: true });
      const answer = await post(server.port, '/request/read-then-404', '{}');
      expect(answer).toMatchObject({ status: 404, text: 'read' });
    });

    test('a streamed 404 is passed on as well', async () => {
      await using server = await mounted({ passthrough: true });
      expect(json(await send(server.port, '/stream/endless-404?key=passed'))).toEqual({ behind: null });
      await shared.probe.until.remote('passed:finally');
    });

    test('without an app: what no prefix matches goes on', async () => {
      const { serve } = shared;
      await using server = await mount({ serve, options: { passthrough: true }, behind: true });
      expect(json(await post(server.port, '/none', '{"a":1}'))).toEqual({ behind: { a: 1 } });
    });

    test('is off by default', async () => {
      await using server = await mounted({});
      expect(json(await post(server.port, '/none', '{}'))).toEqual({ missing: '/none' });
    });
  });
}
