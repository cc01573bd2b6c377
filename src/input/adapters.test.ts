import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import type { Schema } from '../validation/schema.ts';
import {
  bytesRequest,
  formRequest,
  type HttpAdapter,
  jsonRequest,
  textRequest,
  toAdapter,
} from './adapters.ts';

function post(body: NonNullable<RequestInit['body']>, contentType?: string): Request {
  const request = new Request('http://localhost/', { method: 'POST', body });
  if (contentType !== undefined) request.headers.set('content-type', contentType);
  if (contentType === '') request.headers.delete('content-type');
  return request;
}

const postJson = (value: unknown) => post(JSON.stringify(value), 'application/json');

const SCHEMAS: Record<string, Schema<unknown, { text: string; top: number }>> = {
  zod: z.object({ text: z.string().min(1), top: z.number().default(3) }),
  valibot: v.object({ text: v.pipe(v.string(), v.minLength(1)), top: v.optional(v.number(), 3) }),
  arktype: type({ text: 'string >= 1', top: 'number = 3' }),
};

describe('jsonRequest', () => {
  test.each([
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/vnd.api+json',
    'application/json;charset="utf-8"',
  ])('takes %s', async (contentType) => {
    expect(await jsonRequest(post('{"a":[1,null]}', contentType))).toEqual({ a: [1, null] });
  });

  test.each([
    '',
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/jsonp',
    'application/json; charset=utf-16',
    'json',
    'text/html; application/json',
  ])('415 for %j', async (contentType) => {
    await expect(jsonRequest(post('{}', contentType))).rejects.toMatchObject({
      code: 'SERVE_BAD_REQUEST',
      statusCode: 415,
      detail: expect.stringContaining('application/json'),
    });
  });

  test('400 for malformed JSON and for none', async () => {
    await expect(jsonRequest(post('{"a":', 'application/json'))).rejects.toMatchObject({ statusCode: 400 });
    await expect(jsonRequest(post('', 'application/json'))).rejects.toMatchObject({
      detail: 'the body is empty; it must be JSON',
    });
  });

  test.each(Object.entries(SCHEMAS))('%s: the transformed value, or 422 with issues', async (_, schema) => {
    expect(await jsonRequest(postJson({ text: 'a' }), schema)).toEqual({ text: 'a', top: 3 });
    await expect(jsonRequest(postJson({ text: 7, top: 1 }), schema)).rejects.toMatchObject({
      code: 'SERVE_VALIDATION',
      statusCode: 422,
      retryable: false,
      issues: [{ path: ['text'], message: expect.stringMatching(/string/) }],
    });
  });

  test('an asynchronous schema', async () => {
    const schema = z
      .string()
      .refine(async (text) => (await Promise.resolve(text)) === 'known', 'unknown text');
    expect(await jsonRequest(postJson('known'), schema)).toBe('known');
    await expect(jsonRequest(postJson('else'), schema)).rejects.toMatchObject({
      issues: [{ path: [], message: 'unknown text' }],
    });
  });

  test('issues are bounded in number and length', async () => {
    const schema = z.record(z.string(), z.number());
    const wrong = Object.fromEntries(
      Array.from({ length: 500 }, (_, n) => [`${'k'.repeat(5_000)}${n}`, 'x'.repeat(5_000)]),
    );
    const error = await jsonRequest(postJson(wrong), schema).catch((error: unknown) => error);
    expect(error).toMatchObject({ code: 'SERVE_VALIDATION' });
    const { issues } = error as { issues: { path: string[]; message: string }[] };
    expect(issues).toHaveLength(100);
    expect(JSON.stringify(error).length).toBeLessThan(100_000);
  });

  test('what a schema throws is not the client’s fault', async () => {
    const schema = z.string().refine(() => {
      throw new RangeError('a bug');
    });
    await expect(jsonRequest(postJson('a'), schema)).rejects.toThrow(RangeError);
  });
});

describe('textRequest', () => {
  test('in the charset that the client names', async () => {
    expect(await textRequest(post('grüße', 'text/plain'))).toBe('grüße');
    expect(await textRequest(post(new Uint8Array([0x67, 0xfc]), 'text/plain; charset=iso-8859-1'))).toBe(
      'gü',
    );
    expect(await textRequest(post('bare', ''))).toBe('bare');
    expect(
      await textRequest(
        post('a', 'text/plain'),
        z.string().transform((text) => text.length),
      ),
    ).toBe(1);
  });

  test('415 for what is no text', async () => {
    await expect(textRequest(post('{}', 'application/json'))).rejects.toMatchObject({ statusCode: 415 });
    await expect(textRequest(post('a', 'text/plain; charset=klingon'))).rejects.toMatchObject({
      statusCode: 415,
    });
  });
});

test('bytesRequest: the body, whatever it is', async () => {
  expect(await bytesRequest(post(new Uint8Array([1, 2]), 'image/png'))).toEqual(new Uint8Array([1, 2]));
  expect(await bytesRequest(post('', ''))).toEqual(new Uint8Array());
});

describe('formRequest', () => {
  test('urlencoded: a repeated field is a list', async () => {
    const fields = await formRequest(post(new URLSearchParams('a=1&b=x&a=2&toString=s')));
    expect(fields).toEqual({ a: ['1', '2'], b: 'x', toString: 's' });
  });

  test('multipart: files as bytes', async () => {
    const form = new FormData();
    form.append('title', 'cat');
    form.append('image', new File([new Uint8Array([9, 8])], 'cat.png', { type: 'image/png' }));
    expect(await formRequest(post(form))).toEqual({
      title: 'cat',
      image: { name: 'cat.png', type: 'image/png', bytes: new Uint8Array([9, 8]) },
    });
  });

  test('with a schema', async () => {
    const schema = z.object({ n: z.coerce.number() });
    expect(await formRequest(post(new URLSearchParams('n=4')), schema)).toEqual({ n: 4 });
    await expect(formRequest(post(new URLSearchParams('n=x')), schema)).rejects.toMatchObject({
      statusCode: 422,
    });
  });

  test('refuses other types, malformed bodies, floods and prototypes', async () => {
    await expect(formRequest(postJson({}))).rejects.toMatchObject({ statusCode: 415 });
    await expect(formRequest(post('nonsense', 'multipart/form-data; boundary=x'))).rejects.toMatchObject({
      statusCode: 400,
    });
    await expect(formRequest(post(new URLSearchParams('a=1&'.repeat(1_001))))).rejects.toMatchObject({
      statusCode: 400,
    });
    await expect(formRequest(post(new URLSearchParams('__proto__=1')))).rejects.toMatchObject({
      statusCode: 400,
    });
    expect(await formRequest(post(new URLSearchParams('a=1&'.repeat(1_000))))).toMatchObject({
      a: expect.any(Array),
    });
  });

  test('a body that was read already is the app’s own mistake', async () => {
    const request = post(new URLSearchParams('a=1'));
    await request.text();
    await expect(formRequest(request)).rejects.toThrow(TypeError);
  });
});

describe('toAdapter', () => {
  test('a schema reads JSON, also one that is a function; a function gets the request', async () => {
    for (const schema of Object.values(SCHEMAS)) {
      expect(await toAdapter(schema, 'httpAdapter')(postJson({ text: 'a' }))).toEqual({ text: 'a', top: 3 });
    }
    expect(await toAdapter((request: Request) => request.method, 'httpAdapter')(postJson(1))).toBe('POST');
    expect(await toAdapter(textRequest, 'httpAdapter')(post('hi'))).toBe('hi');
  });

  test('anything else is refused', () => {
    expect(() => toAdapter('json' as unknown as HttpAdapter, 'httpAdapter')).toThrow(
      'httpAdapter: got "json"; allowed: a function of the request, or a schema (zod, valibot, arktype …)',
    );
  });
});
