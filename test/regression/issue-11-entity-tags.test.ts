import express from 'express';
import { describe, expect, test } from 'vitest';
import { sharedApp } from '../integration/every-framework/setup.ts';
import { mountMiddie, mountPlugin } from '../integration/fastify/mount.ts';
import { mountKoa } from '../integration/koa/mount.ts';
import { type Answer, send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';

const shared = sharedApp();

/** What the probe answers under `/kind/object`. */
const VALUE = { a: [1, 'zwei', null] };

/** Express answers a value itself, and by an app. */
async function bothWays(etag?: unknown) {
  const host = express();
  if (etag !== undefined) host.set('etag', etag);
  host.get('/own', (_req, res) => void res.json(VALUE));
  host.use(shared.serve.middleware(shared.app));
  return listen(host);
}

function seen({ status, headers, text }: Answer): unknown {
  const { etag, 'content-type': type, 'content-length': length, 'transfer-encoding': framing } = headers;
  return { status, text, etag, type, length, framing };
}

describe('JSON answers in Express', () => {
  test.each([
    ['by default', undefined],
    ['strong', 'strong'],
    ['weak', 'weak'],
    ['off', false],
    ['of the host’s own', () => '"own"'],
  ])('have the tag of its own, and conditional requests its answer: %s', async (_what, etag) => {
    await using host = await bothWays(etag);
    const own = await send(host.port, '/own');
    const ours = await send(host.port, '/kind/object');
    expect(seen(ours)).toEqual(seen(own));
    const tag = String(own.headers.etag ?? '"none"');
    for (const headers of [
      { 'if-none-match': tag },
      { 'if-none-match': `"other", ${tag}` },
      { 'if-none-match': '*' },
      { 'if-none-match': '"other"' },
      { 'if-none-match': tag, 'cache-control': 'no-cache' },
    ]) {
      for (const method of ['GET', 'HEAD']) {
        const expected = seen(await send(host.port, '/own', { method, headers }));
        expect(seen(await send(host.port, '/kind/object', { method, headers }))).toEqual(expected);
      }
    }
  });

  test('that is not for other methods, statuses and answers than values as JSON', async () => {
    await using host = await bothWays();
    for (const path of [
      '/kind/text',
      '/kind/bytes',
      '/kind/response-json',
      '/kind/object-generator',
      '/kind/generator',
      '/fail/exposed',
      '/kind/no-content',
    ]) {
      const { headers } = await send(host.port, path, { headers: { 'if-none-match': '*' } });
      expect(headers.etag, path).toBeUndefined();
    }
    const posted = await send(host.port, '/kind/object', {
      method: 'POST',
      headers: { 'if-none-match': '*' },
    });
    expect([posted.status, posted.headers.etag]).toEqual([200, undefined]);
  });

  test('a tag that the host or the app has set stays', async () => {
    const host = express().use((_req, res, next) => {
      res.setHeader('etag', '"host"');
      next();
    });
    await using server = await listen(host.use(shared.serve.middleware(shared.app)));
    const answer = await send(server.port, '/kind/object', { headers: { 'if-none-match': '"host"' } });
    expect([answer.status, answer.headers.etag, answer.text]).toEqual([304, '"host"', '']);
    const made = await send(server.port, '/kind/response');
    expect([made.status, made.headers.etag]).toEqual([201, '"e"']);
  });

  test('is counted and named as what it was', async () => {
    await using host = await bothWays();
    const { etag = '' } = (await send(host.port, '/kind/number')).headers;
    const headers = { 'if-none-match': etag, 'x-request-id': 'conditional' };
    const answer = await send(host.port, '/kind/number', { headers });
    expect([answer.status, answer.headers['x-request-id']]).toEqual([304, 'conditional']);
    expect(await shared.serve.metrics()).toMatch(/^serve_http_requests_total\{[^}]*"304"/m);
  });
});

test.each([
  ['Koa', mountKoa],
  ['middie', mountMiddie],
  ['Fastify', mountPlugin],
])('%s tags nothing by itself, so nothing is tagged', async (_name, mount) => {
  await using host = await mount({ serve: shared.serve, app: shared.app });
  const answer = await send(host.port, '/kind/object', { headers: { 'if-none-match': '*' } });
  expect([answer.status, answer.headers.etag]).toEqual([200, undefined]);
});
