import { describe, expect, test } from 'vitest';
import { SERVE_ERRORS } from '../../../src/index.ts';
import { child, parent, probe } from '../../fixtures/http/probe.ts';
import { failsToStart, startsSlowly } from '../../fixtures/http/shapes.ts';
import { json, RawClient, send } from '../../support/http/client.ts';
import { calmServe, type Mount, ongoing, outcomes, queued, recorder, sharedProbe } from './setup.ts';

/** What a client gets to know of a failure, and what the log does. */
export function errors(mount: Mount): void {
  describe('errors', () => {
    const shared = sharedProbe(mount);
    const fail = (name: string) =>
      send(shared.port, `/fail/${name}`, { headers: { 'x-request-id': `id-${name}` } });

    test.each(Object.entries(SERVE_ERRORS).filter(([code]) => code !== 'SERVE_CANCELLED'))(
      '%s has its status',
      async (code, { statusCode, title }) => {
        const answer = await fail(code);
        expect(answer.status).toBe(statusCode);
        expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
        expect(answer.headers['cache-control']).toBe('no-store');
        expect(json(answer)).toEqual({
          type: `urn:inserve:error:${code}`,
          title,
          status: statusCode,
          code,
          requestId: `id-${code}`,
        });
      },
    );

    test.each(['error', 'string', 'undefined', 'rejects', 'status-only', 'odd-status', 'SERVE_CANCELLED'])(
      '19, security row 31: %s: a user error is 500 without detail',
      async (name) => {
        const answer = await fail(name);
        expect(answer.status).toBe(500);
        expect(json(answer)).toEqual({
          type: 'urn:inserve:error:INTERNAL_SERVER_ERROR',
          title: 'Internal Server Error',
          status: 500,
          code: 'INTERNAL_SERVER_ERROR',
          requestId: `id-${name}`,
        });
        expect(answer.text).not.toContain('secret');
      },
    );

    test.each([
      ['exposed', 418, 'TEAPOT', 'no more tea'],
      ['exposed-server-error', 503, 'ERROR', 'come back later'],
      ['odd-code', 409, 'ERROR', 'odd code'],
    ])('%s: an error that says so shows its status and message', async (name, status, code, title) => {
      const answer = await fail(name);
      expect(answer.status).toBe(status);
      expect(json(answer)).toMatchObject({ status, code, title });
    });

    test('Retry-After comes with back-pressure, in seconds', async () => {
      expect((await fail('SERVE_BACKPRESSURE')).headers['retry-after']).toBe('2');
    });

    test('HEAD gets the status alone', async () => {
      expect(await send(shared.port, '/fail/error', { method: 'HEAD' })).toMatchObject({
        status: 500,
        text: '',
      });
    });

    test('19: an error leaves the connection as it was, and the replica', async () => {
      const replicas = () =>
        Object.values(shared.serve.status().apps).flatMap(({ deployments }) =>
          Object.values(deployments).flatMap((deployment) => deployment.replicas.map(({ id }) => id)),
        );
      const before = replicas();
      const answer = await send(shared.port, '/fail/error', {
        method: 'POST',
        body: 'small',
        headers: { connection: 'keep-alive' },
      });
      expect(answer.headers['connection']).toBe('keep-alive');
      expect((await send(shared.port, '/kind/number')).text).toBe('0.5');
      expect(replicas()).toEqual(before);
    });
  });

  describe('errors in the log', () => {
    test('what the client does not see is there in full', async () => {
      const { records, logger } = recorder();
      await using serve = calmServe(logger);
      await using server = await mount({ serve, app: probe.bind() });
      await send(server.port, '/fail/error?q=1', { headers: { 'x-request-id': 'logged' } });
      await send(server.port, '/fail/exposed');
      await send(server.port, '/stream/breaking').catch(() => {});
      const failures = records.filter(({ level }) => level === 'error');
      expect(failures.map(({ fields }) => fields['url'])).toEqual(['/fail/error?q=1', '/stream/breaking']);
      const [{ fields }] = failures as [(typeof failures)[0]];
      expect(fields).toMatchObject({ requestId: 'logged', method: 'GET' });
      const err = fields['err'] as Error;
      expect(err).toBeInstanceOf(RangeError);
      expect(err).toMatchObject({ message: 'secret detail', secret: 'in the data' });
      expect(err.stack).toContain('failures.ts');
    });
  });

  describe('errors of the serving layer', () => {
    test('a full queue: 503 or 429 with Retry-After; what waits is served', async () => {
      await using serve = calmServe();
      const app = probe
        .options({
          maxOngoingRequests: 1,
          maxQueuedRequests: 1,
          backpressure: { statusCode: 429, retryAfterMs: 2_500 },
        })
        .bind();
      await using server = await mount({ serve, app });
      const running = send(server.port, '/wait/x?key=full');
      await expect.poll(() => ongoing(serve)).toBe(1);
      const waiting = send(server.port, '/kind/number');
      await expect.poll(() => queued(serve)).toBe(1);
      const refused = await send(server.port, '/kind/number');
      expect(refused).toMatchObject({ status: 429, headers: { 'retry-after': '3' } });
      expect(json(refused)).toMatchObject({ status: 429, code: 'SERVE_BACKPRESSURE' });
      expect(await outcomes(serve, 'rejected')).toBe(1);
      await serve.handle(app).broadcast('open', 'full');
      expect([(await running).text, (await waiting).text]).toEqual(['waited', '0.5']);
    });

    test('a child’s full queue is the client’s 503 as well', async () => {
      await using serve = calmServe();
      await using server = await mount({ serve, app: parent.bind(child.bind()) });
      const answer = await send(server.port, '/fail');
      expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
    });

    test('21: the deadline passes: 504, running and queued', async () => {
      await using serve = calmServe();
      const app = probe.options({ maxOngoingRequests: 1 }).bind();
      await using server = await mount({ serve, app, options: { requestTimeoutMs: 1_000 } });
      await serve.handle(app).count.remote('');
      const both = [send(server.port, '/wait/x?key=slow'), send(server.port, '/wait/x?key=behind')];
      for (const answer of await Promise.all(both)) {
        expect(answer.status).toBe(504);
        expect(json(answer)).toMatchObject({ code: 'SERVE_TIMEOUT' });
      }
      await serve.handle(app).broadcast('until', 'slow:aborted:SERVE_TIMEOUT');
      await serve.handle(app).broadcast('open', 'slow');
      expect(await serve.handle(app).count.remote('behind:started')).toBe(0);
      expect(await outcomes(serve, 'timeout')).toBe(2);
    });

    test('21, 22: so is a slow child’s; the client’s own deadline needs no other, and nothing of it is left', async () => {
      await using serve = calmServe();
      const unlimited = { requestTimeoutMs: 0 };
      const slow = child.options(unlimited).bind();
      await using server = await mount({ serve, app: parent.options(unlimited).bind(slow) });
      expect((await send(server.port, '/')).status).toBe(200);
      for (let count = 0; count < 2; count++) {
        const answer = await send(server.port, '/slow', { headers: { 'x-request-timeout-ms': '200' } });
        expect(json(answer)).toMatchObject({ status: 504, code: 'SERVE_TIMEOUT' });
      }
      await expect.poll(() => serve.handle(slow).aborted.remote()).toBe(2);
      await expect.poll(() => ongoing(serve)).toBe(0);
    });

    test('20: a replica that dies: 500, and the next request finds another', async () => {
      await using serve = calmServe();
      await using server = await mount({ serve, app: probe.bind() });
      const answer = await send(server.port, '/fail/exit');
      expect(answer.status).toBe(500);
      expect(json(answer)).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
      expect((await send(server.port, '/kind/number')).text).toBe('0.5');
      expect(await outcomes(serve, 'died')).toBe(1);
    });

    test('requests that come before the app is ready wait', async () => {
      await using serve = calmServe();
      const flag = new SharedArrayBuffer(4);
      await using server = await mount({ serve, app: startsSlowly.bind(flag) });
      const early = send(server.port, '/');
      await expect.poll(() => queued(serve)).toBe(1);
      const words = new Int32Array(flag);
      Atomics.store(words, 0, 1);
      Atomics.notify(words, 0);
      expect((await early).text).toBe('ready');
    });

    test('an app that failed to start: 503 at once', async () => {
      await using serve = calmServe();
      await using server = await mount({ serve, app: failsToStart.bind() });
      for (const answer of [await send(server.port, '/'), await send(server.port, '/')]) {
        expect(answer.status).toBe(503);
        expect(json(answer)).toMatchObject({ code: 'SERVE_DEPLOY_FAILED' });
        expect(answer.text).not.toContain('secret');
      }
    });

    test('an unknown app, and one that was deleted: 404', async () => {
      await using serve = calmServe();
      await using server = await mount({ serve, app: 'later' });
      const unknown = await send(server.port, '/', { headers: { 'x-request-id': 'abc' } });
      expect(unknown).toMatchObject({ status: 404, headers: { 'x-request-id': 'abc' } });
      expect(json(unknown)).toMatchObject({ code: 'SERVE_NOT_FOUND', requestId: 'abc' });
      await serve.run(probe.bind(), { name: 'later' });
      expect((await send(server.port, '/kind/number')).text).toBe('0.5');
      await serve.delete('later');
      expect((await send(server.port, '/kind/number')).status).toBe(404);
      await serve.run(probe.bind(), { name: 'later' });
      expect((await send(server.port, '/kind/number')).text).toBe('0.5');
    });

    test('an instance that closes: 503 for what comes, an answer for what runs', async () => {
      await using serve = calmServe();
      await using server = await mount({ serve, app: probe.bind() });
      using running = await RawClient.connect(server.port);
      running.head(
        'POST /request/text HTTP/1.1',
        'Host: h',
        'Transfer-Encoding: chunked',
        'Connection: close',
      );
      await expect.poll(() => ongoing(serve)).toBe(1);
      const closing = serve.close();
      expect((await send(server.port, '/kind/number')).status).toBe(503);
      running.write('4\r\nlate\r\n0\r\n\r\n');
      expect(await running.closed()).toMatch(/\{"text":"late"\}$/);
      await closing;
      const closed = await send(server.port, '/kind/number');
      expect(closed.status).toBe(503);
      expect(json(closed)).toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    });
  });
}
