import express from 'express';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesRequest, DAGDriver, dag, InputNode, type Schema, type Serve } from '../../../src/index.ts';
import { combine, frames, model, sum } from '../../fixtures/graphs/graph.ts';
import { json, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { postJson } from '../../support/http/post-json.ts';
import { quietServe } from '../../support/quiet.ts';

/** As zod and others make them. */
const pair: Schema<unknown, [number, number]> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) =>
      Array.isArray(value) && value.length === 2 && value.every((item) => typeof item === 'number')
        ? { value: value as [number, number] }
        : { issues: [{ message: 'two numbers are needed', path: [0] }] },
  },
};

describe('a graph over HTTP', () => {
  let serve: Serve;
  let server: Awaited<ReturnType<typeof listen>>;

  beforeAll(async () => {
    serve = quietServe();
    const input = new InputNode<number>();
    const other = new InputNode<[number, number]>();
    const one = model.bind(1);
    const routes = DAGDriver.options({ name: 'routes' }).bind({
      '/plus': one.forward.bind(input),
      '/combine/all': combine.bind(other[0], other[1], { output: 1 }),
    });
    await serve.run(routes, { name: 'routes', routePrefix: '/routes' });
    const checked = dag((both: InputNode<[number, number]>) => sum.bind([both[0], both[1]]), {
      httpAdapter: pair,
    });
    await serve.run(checked, { name: 'checked', routePrefix: '/checked' });
    const bytes = dag((body: InputNode<Uint8Array>) => frames.bind().size.bind(body), {
      httpAdapter: bytesRequest,
    });
    await serve.run(bytes, { name: 'bytes', routePrefix: '/bytes' });
    const nothing = dag((_input: InputNode<undefined>) => sum.bind([1, 2]));
    await serve.run(nothing, { name: 'nothing', routePrefix: '/nothing' });
    server = await listen(serve.middleware());
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await serve?.close();
  });

  test('71: each route runs its own graph', async () => {
    expect(json(await postJson(server.port, '/routes/plus', 41))).toBe(42);
    expect(json(await postJson(server.port, '/routes/combine/all', [1, 2]))).toBe(4);
    expect(json(await postJson(server.port, '/routes/plus/', 1))).toBe(2);
  });

  test('71: a path that is no route is 404', async () => {
    for (const path of ['/routes', '/routes/combine', '/routes/plus/more']) {
      const answer = await postJson(server.port, path, 1);
      expect(answer.status, path).toBe(404);
      expect(json(answer)).toMatchObject({ code: 'SERVE_NOT_FOUND' });
    }
  });

  test('a path that is no route goes on to the next handler, where passthrough says so', async () => {
    await using host = await listen(
      express()
        .use('/routes', serve.middleware('routes', { passthrough: true }))
        .use((req, res) => void res.json({ behind: req.originalUrl })),
    );
    expect(json(await postJson(host.port, '/routes/plus', 1))).toBe(2);
    expect(json(await postJson(host.port, '/routes/minus', 1))).toEqual({ behind: '/routes/minus' });
    expect(json(await send(host.port, '/routes'))).toEqual({ behind: '/routes' });
  });

  test('71: by handle as well', async () => {
    const handle = serve.handle<{
      predict(value: unknown): number;
      predictWithRoute(route: string, ...args: unknown[]): number;
    }>('routes');
    expect(await handle.predictWithRoute.remote('/plus', 1)).toBe(2);
    expect(await handle.predictWithRoute.remote('/combine/all', 1, 2)).toBe(4);
    for (const response of [handle.predictWithRoute.remote('/minus', 1), handle.predict.remote(1)]) {
      await expect(response).rejects.toMatchObject({
        code: 'SERVE_NOT_FOUND',
        message: expect.stringContaining('its routes: /plus, /combine/all'),
      });
    }
  });

  test('71: what the adapter refuses is 422, and the next request works', async () => {
    const refused = await postJson(server.port, '/checked', [1, 'b']);
    expect(refused.status).toBe(422);
    expect(json(refused)).toMatchObject({
      code: 'SERVE_VALIDATION',
      issues: [{ message: 'two numbers are needed' }],
    });
    expect(json(await postJson(server.port, '/checked', [1, 2]))).toBe(3);
  });

  test("an adapter of one's own", async () => {
    const answer = await send(server.port, '/bytes/any/path', {
      method: 'POST',
      body: Buffer.alloc(200_000),
    });
    expect(json(answer)).toBe(200_000);
  });

  test('malformed JSON is 400', async () => {
    const headers = { 'content-type': 'application/json' };
    const answer = await send(server.port, '/routes/plus', { method: 'POST', headers, body: '{"a":' });
    expect(answer.status).toBe(400);
  });

  test('GET has no input; what is neither GET nor POST is 405', async () => {
    expect(json(await send(server.port, '/nothing'))).toBe(3);
    const answer = await send(server.port, '/nothing', { method: 'DELETE' });
    expect(answer.status).toBe(405);
    expect(answer.headers['allow']).toBe('GET, HEAD, POST');
  });

  test('an input without the part that is needed is 400, in words', async () => {
    const answer = await send(server.port, '/routes/combine/all');
    expect(answer.status).toBe(400);
    expect(json(answer)).toMatchObject({ detail: 'the graph needs input[0], and input is undefined' });
  });
});
