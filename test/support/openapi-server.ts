/**
 * Apps and their OpenAPI documents, for the tools of `npm run test:openapi`: prints one line of JSON with its port and the
 * names of the documents, `/documents/<name>.json`, and serves until it is ended.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as z from 'zod';
import { type BoundDeployment, createServe, DAGDriver, InputNode } from '../../src/index.ts';
import * as apps from '../fixtures/http/openapi.ts';
import * as kinds from '../fixtures/http/openapi-kinds.ts';
import { classifier } from '../fixtures/http/schemas.ts';

const INLINE = { isolation: 'inline' } as const;
const Text = z.object({ text: z.string() });
const length = kinds.lengthOf.bind(new InputNode<unknown>());
const measured = apps.measure.bind(new InputNode<{ text: string }>());

const APPS: Readonly<Record<string, BoundDeployment<unknown>>> = {
  classify: classifier.options(INLINE).bind(),
  recursive: apps.recursive.options(INLINE).bind(),
  valibot: apps.ofValibot.options(INLINE).bind(),
  arktype: apps.ofArktype.options(INLINE).bind(),
  ticker: apps.ticker.options(INLINE).bind(),
  bare: apps.bare.options(INLINE).bind(),
  time: apps.time.options(INLINE).bind(),
  shop: apps.shop.options(INLINE).bind(),
  named: kinds.named.options(INLINE).bind(),
  objects: kinds.objects.options(INLINE).bind(),
  texts: kinds.texts.options(INLINE).bind(),
  older: kinds.older.options(INLINE).bind(),
  open: DAGDriver.bind({ '/a/b': length, '/a_b': length }),
  closed: DAGDriver.bind({ '/one': measured, '/two/three': measured }, { httpAdapter: Text }),
  ...Object.fromEntries(
    Object.entries(kinds.kinds).map(([kind, app]) => [`kind_${kind}`, app.options(INLINE).bind()]),
  ),
};

const serve = createServe({ hostGuard: { enabled: false }, version: '1.0.0' });
for (const [name, app] of Object.entries(APPS)) await serve.run(app, { name, routePrefix: `/${name}` });

const middleware = serve.middleware();
const server = createServer((req, res) => {
  const [, name] = /^\/documents\/(\w+)\.json$/.exec(req.url ?? '') ?? [];
  if (name === undefined) {
    middleware(req, res);
    return;
  }
  serve.openapi(name).then(
    (document) => res.setHeader('content-type', 'application/json').end(JSON.stringify(document)),
    (error: unknown) => res.writeHead(500).end(String(error)),
  );
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ port, names: Object.keys(APPS) }));
});
