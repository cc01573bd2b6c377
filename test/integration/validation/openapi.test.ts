import { Validator } from '@seriousme/openapi-schema-validator';
import express from 'express';
import { afterAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { DAGDriver, InputNode, type OpenApiDocument } from '../../../src/index.ts';
import * as apps from '../../fixtures/http/openapi.ts';
import { classifier } from '../../fixtures/http/schemas.ts';
import { json, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';

const serve = quietServe({ version: '1.2.3' });
afterAll(() => serve.close());

/** Valid as OpenAPI 3.1, and every reference leads somewhere. */
async function expectValid(document: OpenApiDocument): Promise<void> {
  const validator = new Validator();
  expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
  const references = JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g);
  for (const [, pointer = ''] of references) expect(lookup(document, pointer), pointer).toBeDefined();
}

function lookup(document: object, pointer: string): unknown {
  let at: unknown = document;
  for (const key of pointer.replace(/^#\//, '').split('/')) at = (at as Record<string, unknown>)?.[key];
  return at;
}

/** Threads take their time to import the schema libraries; two of the tests have one. */
const INLINE = { isolation: 'inline' } as const;

type Json = Record<string, never>;

async function describeApp(
  app: Parameters<typeof serve.run>[0],
  prefix: string,
): Promise<OpenApiDocument & Json> {
  const name = prefix.slice(1);
  await serve.run(app, { name, routePrefix: prefix });
  const document = await serve.openapi(name);
  await expectValid(document);
  return document as OpenApiDocument & Json;
}

describe('serve.openapi(name)', () => {
  test('the input and the output of an ingress, and what may go wrong', async () => {
    const document = await describeApp(classifier.bind(), '/classify');
    expect(document.info).toEqual({ title: 'classify', version: '1.2.3' });
    expect(document.paths).toEqual({
      '/classify': {
        post: {
          operationId: 'post_classify',
          requestBody: {
            required: true,
            content: { 'application/json': { schema: { $ref: '#/components/schemas/classify_input' } } },
          },
          responses: expect.objectContaining({
            200: {
              description: 'The result.',
              content: { 'application/json': { schema: { $ref: '#/components/schemas/classify_output' } } },
            },
            415: { $ref: '#/components/responses/UnsupportedMediaType' },
            422: { $ref: '#/components/responses/Invalid' },
            503: { $ref: '#/components/responses/Unavailable' },
          }),
        },
      },
    });
    expect(document['components']).toMatchObject({
      schemas: {
        classify_input: {
          type: 'object',
          properties: { text: { type: 'string', minLength: 1 }, top: { type: 'integer', default: 3 } },
          required: ['text'],
        },
        classify_output: {
          type: 'object',
          properties: { words: { type: 'array', items: { type: 'string' } } },
        },
        Problem: { properties: { issues: { type: 'array' } } },
      },
      responses: { Invalid: { content: { 'application/problem+json': expect.anything() } } },
    });
  });

  test.each([
    [
      'valibot',
      apps.ofValibot,
      { type: 'object', required: ['text'], properties: { text: { minLength: 1 } } },
    ],
    [
      'arktype',
      apps.ofArktype,
      { type: 'object', required: ['json', 'text'], properties: { json: { type: 'string' } } },
    ],
    [
      'a library without JSON Schema',
      apps.ofHand,
      { description: 'Checked by handmade, which gives no JSON Schema for it' },
    ],
  ])('schemas of %s', async (_, app, schema) => {
    const name = app.name;
    const document = await describeApp(app.options(INLINE).bind() as never, `/${name}`);
    expect(lookup(document, `#/components/schemas/${name}_input`)).toMatchObject(schema);
  });

  test('a schema that refers to itself, and one part that JSON cannot describe', async () => {
    const document = await describeApp(apps.recursive.options(INLINE).bind(), '/recursive');
    expect(lookup(document, '#/components/schemas/recursive_output')).toMatchObject({
      properties: { children: { items: { $ref: '#/components/schemas/recursive_output' } } },
    });
    expect(lookup(document, '#/components/schemas/recursive_input/properties/at')).toEqual({});
  });

  test('a stream, text, and routes without schemas', async () => {
    const ticker = await describeApp(apps.ticker.options(INLINE).bind(), '/ticker');
    const content = (document: OpenApiDocument, path: string, method: string) => {
      const operation = document.paths[path]?.[method] as { responses: { 200: { content?: object } } };
      return Object.keys(operation.responses[200].content ?? {});
    };
    expect(content(ticker, '/ticker', 'post')).toEqual(['application/x-ndjson']);
    expect(content(await serve.openapi('ofArktype'), '/ofArktype', 'post')).toEqual(['text/plain']);
    const bare = await describeApp(apps.bare.options(INLINE).bind(), '/bare');
    expect(Object.keys(bare.paths['/bare'] ?? {})).toEqual(['get', 'post']);
    const time = await describeApp(apps.time.options(INLINE).bind(), '/time');
    expect(Object.keys(time.paths['/time'] ?? {})).toEqual(['get']);
    expect(content(time, '/time', 'get')).toEqual(['application/json']);
  });

  test('of a router that describes itself', async () => {
    const document = await describeApp(apps.shop.bind(), '/shop');
    expect(document.info).toEqual({ title: 'Shop', version: '2.0.0' });
    expect(Object.keys(document.paths)).toEqual(['/shop/items/{id}']);
    expect(document['components']).toMatchObject({
      schemas: { Item: { type: 'object' }, Problem: { type: 'object' } },
    });
    await using server = await listen(express().use(serve.middleware()));
    expect(json(await send(server.port, '/shop/items/a1'))).toEqual({ id: 'a1' });
  });

  test('of a graph: its routes, and what its adapter takes', async () => {
    const body = z.object({ text: z.string() });
    const length = apps.measure.bind(new InputNode<{ text: string }>());
    const app = DAGDriver.bind({ '/a': length, '/b/c': length }, { httpAdapter: body });
    const document = await describeApp(app as never, '/graph');
    expect(Object.keys(document.paths)).toEqual(['/graph/a', '/graph/b/c']);
    expect(lookup(document, '#/components/schemas/graph_b_c_input')).toMatchObject({ required: ['text'] });
    const single = await describeApp(DAGDriver.bind(length) as never, '/single');
    expect(Object.keys(single.paths)).toEqual(['/single']);
  });

  test('inline, mounted by the host under a prefix of its own', async () => {
    const name = 'mounted';
    await using server = await listen(
      express()
        .use('/deep/down', serve.middleware(classifier.options({ isolation: 'inline' }).bind(), { name }))
        .get('/openapi.json', async (_req, res) => {
          res.json(await serve.openapi(name, { routePrefix: '/deep/down' }));
        }),
    );
    const answer = await send(server.port, '/openapi.json');
    await expectValid(json(answer) as OpenApiDocument);
    expect(Object.keys((json(answer) as OpenApiDocument).paths)).toEqual(['/deep/down']);
    expect(Object.keys((await serve.openapi(name)).paths)).toEqual(['/']);
  });

  test('what goes wrong has a code', async () => {
    await expect(serve.openapi('nobody')).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
    await expect(serve.openapi('classify', { routePrefix: 'x' })).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
    });
    await serve.run(apps.confused.options(INLINE).bind(), { name: 'confused', routePrefix: null });
    await expect(serve.openapi('confused')).rejects.toThrow(
      'openapi() of the ingress must return an OpenAPI document, got []',
    );
    await serve.run(apps.busy.bind(), { name: 'busy', routePrefix: null });
    await expect(serve.openapi('busy')).rejects.toMatchObject({ code: 'SERVE_REPLICA_DIED' });
  });
});
