import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DAGDriver, InputNode } from '../../../src/index.ts';
import { double, methods } from '../../fixtures/calls/values.ts';
import { model } from '../../fixtures/graphs/graph.ts';
import { json, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';

/** Rows of the table of attacks that are about names and options, wherever they come from. */
describe('hostile names', () => {
  let serve: ReturnType<typeof quietServe>;
  beforeAll(() => {
    serve = quietServe();
  });
  afterAll(() => serve.close());

  test('security row 6: what is no public method of the class is no method', async () => {
    const handle = await serve.run(methods.bind(), { routePrefix: null });
    for (const name of [
      'constructor',
      '__proto__',
      'then',
      'toString',
      'hasOwnProperty',
      '_private',
      'accessor',
    ]) {
      const refused = Promise.resolve().then(() => handle.broadcast(name as 'own'));
      await expect(refused, name).rejects.toMatchObject({ code: 'SERVE_UNKNOWN_METHOD' });
    }
    expect(await handle.broadcast('own')).toEqual(['own field']);
    expect(Reflect.get(handle, Symbol.iterator)).toBeUndefined();
  });

  test('security row 6: what is no route of a graph is 404, over HTTP and by handle', async () => {
    const input = new InputNode<number>();
    const graph = DAGDriver.bind<number>({ '/a': model.bind(1).forward.bind(input) });
    await using server = await listen(serve.middleware(graph));
    for (const route of ['/constructor', '/__proto__', '/toString', '/then', '/']) {
      expect(json(await send(server.port, route))).toMatchObject({ status: 404, code: 'SERVE_NOT_FOUND' });
      const called = serve.handle(graph).predictWithRoute.remote(route, 1);
      await expect(called).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
    }
    const answer = await send(server.port, '/a', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '2',
    });
    expect(answer).toMatchObject({ status: 200, text: '3' });
  });

  test.each([
    '',
    '../x',
    'a/b',
    'a*',
    'a{b}',
    'a:b',
    'a\nb',
    'a\0',
    'a b',
    'x'.repeat(65),
    'ａ',
    'é',
    '__proto__\n',
  ])('security row 7: no app, deployment or key is called %j', async (name) => {
    const refusal = { code: 'SERVE_INVALID_OPTION' };
    expect(() => double.options({ name })).toThrow(expect.objectContaining(refusal));
    await expect(serve.run(double.bind(), { name })).rejects.toMatchObject(refusal);
    expect(() => serve.middleware(double.bind(), { name })).toThrow(expect.objectContaining(refusal));
  });

  test.each(['no-slash', '/a b', '/a?b', '/a#b', '/a\n', '/a/../b', '/%2e%2e', '//a', '/a\\b'])(
    'security row 7: no app is served under %j',
    async (routePrefix) => {
      const run = serve.run(double.bind(), { name: 'prefix', routePrefix });
      await expect(run).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    },
  );

  test.each<[string, unknown[]]>([
    ['numReplicas', [Infinity, Number.NaN, 0, -1, 1.5, '3']],
    ['maxOngoingRequests', [Infinity, Number.NaN, 0, -1, 2 ** 31]],
    ['requestTimeoutMs', [Number.NaN, -1, Infinity]],
    ['maxQueuedRequests', [Number.NaN, -2, Infinity]],
  ])('security row 8: numbers that are none are refused: %s', (option, values) => {
    for (const value of values) {
      expect(() => double.options({ [option]: value }), String(value)).toThrow(
        expect.objectContaining({ code: 'SERVE_INVALID_OPTION', message: expect.stringContaining(option) }),
      );
    }
  });
});
