import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { type BoundDeployment, DAGDriver, InputNode } from '../../src/index.ts';
import * as apps from '../fixtures/http/openapi-kinds.ts';
import { classifier } from '../fixtures/http/schemas.ts';
import type { Mounted } from '../integration/every-framework/setup.ts';
import { type Answer, send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';

const serve = quietServe({ version: '1' });
let server: Mounted;
beforeAll(async () => {
  server = await listen(serve.middleware());
});
afterAll(async () => {
  await serve.close();
  await server[Symbol.asyncDispose]();
});

type Tree = { readonly [key: string]: Tree };

/** The document of an app, valid, with references that lead somewhere and ids that are there once. */
async function describeApp(app: BoundDeployment<unknown>, name: string, version = '3.1'): Promise<Tree> {
  await serve.run(app, { name, routePrefix: `/${name}` });
  const document = await serve.openapi(name);
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe(version);
  const text = JSON.stringify(document);
  for (const [, pointer = ''] of text.matchAll(/"\$ref":"([^"]+)"/g))
    expect(at(document as unknown as Tree, ...pointer.split('/').slice(1)), pointer).toBeDefined();
  const ids = [...text.matchAll(/"operationId":"([^"]+)"/g)].map(([, id]) => id);
  expect(new Set(ids).size).toBe(ids.length);
  return document as unknown as Tree;
}

function at(tree: Tree, ...path: string[]): Tree | undefined {
  return path.reduce<Tree | undefined>((branch, key) => branch?.[key], tree);
}

function post(path: string, body: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  return send(server.port, path, { method: 'POST', headers, body: JSON.stringify(body) });
}

test('properties that are called like keywords keep their references, and definitions of any name stay apart', async () => {
  const document = await describeApp(apps.named.options({ isolation: 'inline' }).bind(), 'named');
  const schemas = at(document, 'components', 'schemas') ?? {};
  const follow = (pointer: unknown): Tree | undefined => schemas[String(pointer).split('/').at(-1) ?? ''];
  const properties = at(schemas, 'named_input', 'properties') ?? {};
  expect(follow(properties['default']?.['$ref'])).toMatchObject({ properties: { name: {} } });
  expect(properties['const']).toEqual(properties['user']);
  expect(follow(properties['enum']?.['$ref'])).toMatchObject({ properties: { a: {} } });
  expect(follow(at(properties, 'examples', 'items')?.['$ref'])).toMatchObject({ properties: { b: {} } });
});

test('routes whose paths come to one name have ids of their own', async () => {
  const node = apps.lengthOf.bind(new InputNode<unknown>());
  const graph = DAGDriver.bind({ '/a/b': node, '/a_b': node });
  const document = await describeApp(graph as BoundDeployment<unknown>, 'routes');
  expect(Object.keys(document['paths'] ?? {})).toEqual(['/routes/a/b', '/routes/a_b']);
});

describe('the type of an answer is the one that it is sent with', () => {
  test.each(Object.keys(apps.kinds) as apps.OutputKind[])('%s', async (kind) => {
    const name = `kind_${kind}`;
    const document = await describeApp(apps.kinds[kind].options({ isolation: 'inline' }).bind(), name);
    const responses = at(document, 'paths', `/${name}`, 'post', 'responses') ?? {};
    const said = new Set([
      ...Object.keys(at(responses, '200', 'content') ?? {}),
      ...(responses['204'] === undefined ? [] : ['204']),
    ]);
    const sent = new Set<string>();
    for (const which of apps.ANSWERS[kind].keys()) {
      const { status, headers } = await post(`/${name}`, { which });
      sent.add(status === 204 ? '204' : String(headers['content-type']).replace(/;.*/, ''));
    }
    // A schema of bytes tells nothing, so anything is said.
    if (kind === 'bytes') expect([...said]).toEqual(expect.arrayContaining([...sent]));
    else expect(said).toEqual(sent);
  });

  test.each([
    ['objects', apps.objects, 'application/x-ndjson'],
    ['texts', apps.texts, 'text/plain'],
  ] as const)('an empty stream of %s has the type of a full one', async (name, app, type) => {
    const bound: BoundDeployment<unknown> = app.options({ isolation: 'inline' }).bind();
    await serve.run(bound, { name, routePrefix: `/${name}` });
    for (const count of [0, 2]) {
      const { status, headers } = await post(`/${name}`, { count });
      expect([status, headers['content-type']]).toEqual([200, `${type}; charset=utf-8`]);
    }
  });
});

test('an ingress that describes itself in OpenAPI 3.0 has a document of 3.0', async () => {
  const document = await describeApp(apps.older.options({ isolation: 'inline' }).bind(), 'older', '3.0');
  expect(Object.keys(document['paths'] ?? {})).toEqual(['/older']);
  const { schemas = {}, responses = {} } = document['components'] ?? {};
  expect(at(schemas, 'older_input_1', 'properties', 'name')).toEqual({ type: 'string', nullable: true });
  expect(at(schemas, 'older_input')).toEqual({ type: 'string' });
  expect(at(schemas, 'Problem')).toEqual({ type: 'string', nullable: true });
  expect(JSON.stringify(responses['Invalid_1'])).toContain('#/components/schemas/Problem_1');
  expect(at(document, 'paths', '/older', 'post', 'responses', '422')).toEqual({
    $ref: '#/components/responses/Invalid_1',
  });
});

describe('methods', () => {
  const allowed = async (path: string): Promise<Record<string, unknown>> => {
    const seen: Record<string, unknown> = {};
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const body = method === 'HEAD' ? '' : '{"text":"a"}';
      const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
      const answer = await send(server.port, path, { method, headers, body });
      seen[method] = answer.status === 405 ? answer.headers.allow : answer.status;
    }
    return seen;
  };
  const POST_ONLY = {
    GET: 'POST',
    HEAD: 'POST',
    PUT: 'POST',
    PATCH: 'POST',
    DELETE: 'POST',
    OPTIONS: 'POST',
  };

  test('a call with an input schema is for POST alone', async () => {
    const document = await describeApp(classifier.options({ isolation: 'inline' }).bind(), 'classes');
    expect(Object.keys(at(document, 'paths', '/classes') ?? {})).toEqual(['post']);
    expect(await allowed('/classes')).toEqual(POST_ONLY);
    expect((await post('/classes', { text: 'a b' })).status).toBe(200);
  });

  test('a graph allows what its document has', async () => {
    const node = apps.lengthOf.bind(new InputNode<unknown>());
    const open = DAGDriver.bind({ '/any': node }) as BoundDeployment<unknown>;
    const document = await describeApp(open, 'open');
    expect(Object.keys(at(document, 'paths', '/open/any') ?? {})).toEqual(['get', 'post']);
    const ANY = 'GET, HEAD, POST';
    const others = { PUT: ANY, PATCH: ANY, DELETE: ANY, OPTIONS: ANY };
    expect(await allowed('/open/any')).toEqual({ GET: 200, HEAD: 200, ...others });
    const body = z.object({ text: z.string() });
    const closed = DAGDriver.bind({ '/one': node }, { httpAdapter: body }) as BoundDeployment<unknown>;
    const strict = await describeApp(closed, 'closed');
    expect(Object.keys(at(strict, 'paths', '/closed/one') ?? {})).toEqual(['post']);
    expect(await allowed('/closed/one')).toEqual(POST_ONLY);
  });
});
