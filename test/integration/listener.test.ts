import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { createServe } from '../../src/index.ts';
import { probe } from '../fixtures/http/probe.ts';
import { send } from './client.ts';
import { quiet } from './conformance/setup.ts';
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
} from './http-conformance.ts';
import { listen } from './listen.ts';

/** The middleware as a plain `node:http` request listener: no framework, nobody behind it. */
const mountListener: Mount = ({ serve, app, options }) => listen(serve.middleware(app, options));

for (const suite of [
  bodies,
  disconnects,
  errors,
  identity,
  inline,
  methods,
  requests,
  results,
  routing,
  security,
  streaming,
]) {
  suite(mountListener);
}

test('nobody comes behind: passthrough and onError are answered here', async () => {
  await using serve = createServe({ logger: quiet });
  const options = { passthrough: true, onError: 'next' } as const;
  await using server = await mountListener({ serve, app: probe.bind(), options });
  expect(await send(server.port, '/none', { method: 'POST', body: 'x' })).toMatchObject({ status: 404 });
  expect(await send(server.port, '/fail/error')).toMatchObject({ status: 500 });
  await using all = await mountListener({ serve, options });
  expect(await send(all.port, '/none')).toMatchObject({ status: 404 });
  // It fits where a listener is asked for.
  createServer(serve.middleware('any')).close();
});
