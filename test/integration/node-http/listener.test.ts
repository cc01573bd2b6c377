import { createServer, type ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import { probe } from '../../fixtures/http/probe.ts';
import { send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { share } from '../../support/long-run.ts';
import { calmServe } from '../every-framework/setup.ts';
import {
  bodies,
  disconnects,
  errors,
  identity,
  inline,
  type Mount,
  methods,
  requests,
  results,
  routing,
  security,
  streaming,
  validation,
} from '../every-framework/suites.ts';

/** The middleware as a plain `node:http` request listener: no framework, nobody behind it. */
const mountListener: Mount = ({ serve, app, options }) => listen(serve.middleware(app, options));

/** The middleware is that of Express; the suites that depend on having no framework behind it run each time. */
const SUITES = [
  bodies,
  disconnects,
  requests,
  routing,
  errors,
  identity,
  inline,
  methods,
  results,
  security,
  streaming,
  validation,
];

for (const suite of share(4, SUITES)) suite(mountListener);

test('nobody comes behind: passthrough and onError are answered here', async () => {
  await using serve = calmServe();
  const options = { passthrough: true, onError: 'next' } as const;
  await using server = await mountListener({ serve, app: probe.bind(), options });
  expect(await send(server.port, '/none', { method: 'POST', body: 'x' })).toMatchObject({ status: 404 });
  expect(await send(server.port, '/fail/error')).toMatchObject({ status: 500 });
  await using all = await mountListener({ serve, options });
  expect(await send(all.port, '/none')).toMatchObject({ status: 404 });
  // It fits where a listener is asked for.
  createServer(serve.middleware('any')).close();
});

test('the head of an answer: nothing twice, and what others have set or wait for', async () => {
  await using serve = calmServe();
  const middleware = serve.middleware(probe.bind());
  await using bare = await listen(middleware);
  const answer = await send(bare.port, '/kind/own-head', { headers: { 'x-request-id': 'given' } });
  expect(answer).toMatchObject({ status: 201, text: 'own' });
  const names = answer.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  expect(names.filter((name) => ['x-request-id', 'content-length'].includes(name))).toHaveLength(2);
  expect(answer.headers).toMatchObject({
    'x-request-id': 'given',
    'content-length': '3',
    'set-cookie': ['one=1', 'two=2'],
    vary: 'accept, origin',
  });

  const seen: unknown[] = [];
  await using shared = await listen((req, res) => {
    res.setHeader('vary', 'cookie');
    res.on('finish', () => seen.push(res.getHeader('content-length'), res.getHeader('x-request-id')));
    middleware(req, res);
  });
  const second = await send(shared.port, '/kind/own-head', { headers: { 'x-request-id': 'given' } });
  expect(second.headers).toMatchObject({ vary: 'cookie, accept, origin', 'content-length': '3' });
  expect(seen).toEqual([3, 'given']);

  await using patched = await listen((req, res) => {
    const writeHead = res.writeHead.bind(res) as (...args: unknown[]) => ServerResponse;
    res.writeHead = ((...args: unknown[]) => {
      res.setHeader('x-patched', String(res.getHeader('content-length')));
      return writeHead(...args);
    }) as ServerResponse['writeHead'];
    middleware(req, res);
  });
  expect((await send(patched.port, '/kind/own-head')).headers).toMatchObject({ 'x-patched': '3' });
});
