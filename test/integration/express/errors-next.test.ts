import express, { type ErrorRequestHandler } from 'express';
import { describe, expect, test } from 'vitest';
import { type MiddlewareOptions, ServeError } from '../../../src/index.ts';
import { probe } from '../../fixtures/http/probe.ts';
import { json, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { calmServe, type Mount, recorder, sharedProbe } from '../every-framework/setup.ts';

/** What the app's own error handler gets to see. */
const report: ErrorRequestHandler = (error, _req, res, _next) => {
  const { status, statusCode, code, expose, headers, message } = error;
  const what = { isError: error instanceof Error, isServeError: error instanceof ServeError };
  res.status(status).json({ ...what, status, statusCode, code, expose, headers, message });
};

const OPTIONS: MiddlewareOptions = { onError: 'next' };

const withHandler: Mount = ({ serve, app }) =>
  listen(express().use(serve.middleware(app, OPTIONS)).use(report));
const withoutHandler: Mount = ({ serve, app }) => listen(express().use(serve.middleware(app, OPTIONS)));

describe("onError: 'next'", () => {
  const shared = sharedProbe(withHandler);

  test.each([
    ['SERVE_TIMEOUT', 504, 'SERVE_TIMEOUT', false],
    ['SERVE_BAD_REQUEST', 400, 'SERVE_BAD_REQUEST', true],
    ['SERVE_INVALID_OPTION', 500, 'SERVE_INVALID_OPTION', false],
    ['exposed', 418, 'TEAPOT', true],
    ['exposed-server-error', 503, 'ERROR', true],
    ['status-only', 500, 'INTERNAL_SERVER_ERROR', false],
    ['string', 500, 'INTERNAL_SERVER_ERROR', false],
    ['error', 500, 'INTERNAL_SERVER_ERROR', false],
  ])('%s: status %d, code %s, expose %s', async (name, status, code, expose) => {
    const answer = await send(shared.port, `/fail/${name}`);
    expect(answer.status).toBe(status);
    expect(json(answer)).toMatchObject({ isError: true, status, statusCode: status, code, expose });
  });

  test('the error is the one that was thrown, with its own message', async () => {
    expect(json(await send(shared.port, '/fail/error'))).toMatchObject({ message: 'secret detail' });
    expect(json(await send(shared.port, '/fail/string'))).toMatchObject({ message: 'secret text' });
  });

  test('back-pressure brings its header along', async () => {
    const answer = await send(shared.port, '/fail/SERVE_BACKPRESSURE');
    expect(json(answer)).toMatchObject({ isServeError: true, status: 503, headers: { 'retry-after': '2' } });
  });

  test('a body that is too large', async () => {
    const chunks = async function* () {
      for (let count = 0; count < 20; count++) yield new Uint8Array(65_536);
    };
    const whole = await send(shared.port, '/request/length', {
      method: 'POST',
      body: Buffer.alloc(1_048_577),
    });
    const chunked = await send(shared.port, '/request/length', { method: 'POST', body: chunks() });
    for (const answer of [whole, chunked]) {
      expect(json(answer)).toMatchObject({ status: 413, code: 'SERVE_PAYLOAD_TOO_LARGE', expose: true });
    }
  });

  test('the request id stays on the response', async () => {
    const answer = await send(shared.port, '/fail/error', { headers: { 'x-request-id': 'kept' } });
    expect(answer.headers['x-request-id']).toBe('kept');
  });

  test('after the head is sent nobody is asked: the connection breaks', async () => {
    await expect(send(shared.port, '/stream/breaking')).rejects.toThrow('aborted');
  });
});

describe("onError: 'next' and Express' own error handler", () => {
  const shared = sharedProbe(withoutHandler);

  test('answers with status and headers of the error', async () => {
    const answer = await send(shared.port, '/fail/SERVE_BACKPRESSURE');
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '2' } });
  });
});

test("onError: 'next' for what is no app's", async () => {
  await using serve = calmServe();
  await using server = await withHandler({ serve, app: 'unknown' });
  const answer = await send(server.port, '/');
  expect(json(answer)).toMatchObject({ status: 404, code: 'SERVE_NOT_FOUND', expose: true });
  await serve.close();
  expect(json(await send(server.port, '/'))).toMatchObject({ status: 503, code: 'SERVE_UNAVAILABLE' });
});

test("onError: 'next' logs what is unexpected all the same", async () => {
  const { records, logger } = recorder();
  await using serve = calmServe(logger);
  await using server = await withHandler({ serve, app: probe.bind() });
  await send(server.port, '/fail/error');
  await send(server.port, '/fail/exposed');
  const requests = records.filter(({ fields }) => 'url' in fields);
  expect(requests.map(({ fields }) => fields['url'])).toEqual(['/fail/error']);
});
