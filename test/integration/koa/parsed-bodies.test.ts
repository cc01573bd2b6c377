import Koa from 'koa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { json, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { type Mounted, sharedApp } from '../every-framework/setup.ts';
import { bodyParser } from './body-parser.ts';

const shared = sharedApp();
let server: Mounted;
beforeAll(async () => {
  const host = new Koa().use(bodyParser({ enableTypes: ['json', 'form', 'text'], jsonLimit: '2mb' }));
  server = await listen(host.use(shared.serve.middleware(shared.app)).callback());
});
afterAll(() => server[Symbol.asyncDispose]());

const post = (path: string, type: string, body: string | Uint8Array) =>
  send(server.port, path, { method: 'POST', headers: { 'content-type': type }, body });

test.each([
  ['JSON', 'application/json', '{ "a": [1, "ü"] }', '{"a":[1,"ü"]}'],
  ['an empty object', 'application/json', '{}', '{}'],
  ['a form', 'application/x-www-form-urlencoded', 'a=1&b=x+y', 'a=1&b=x+y'],
  ['text', 'text/plain', 'grüße', 'grüße'],
  ['bytes that no parser knows', 'application/octet-stream', 'bytes', 'bytes'],
])('%s is there again', async (_name, type, body, text) => {
  const echo = json(await post('/request/echo', type, body)) as { headers: [string, string][]; body: string };
  expect(Buffer.from(echo.body, 'base64').toString()).toBe(text);
  expect(new Map(echo.headers).get('content-type')).toBe(type);
  expect(new Map(echo.headers).get('content-length')).toBe(String(Buffer.byteLength(text)));
});

test('a large one is under the limit of its parser, not ours', async () => {
  const body = JSON.stringify({ text: 'x'.repeat(1_500_000) });
  expect((await post('/request/length', 'application/json', body)).text).toBe(String(body.length));
});

test('a multipart form is left alone', async () => {
  const form = new FormData();
  form.set('field', 'value');
  form.set('file', new File(['x'.repeat(100_000)], 'f.txt', { type: 'text/plain' }));
  const url = `http://127.0.0.1:${server.port}/request/form`;
  const entries = (await (await fetch(url, { method: 'POST', body: form })).json()) as string[][];
  expect(entries[0]).toEqual(['field', 'value']);
  expect(entries[1]?.[1]).toHaveLength('f.txt:text/plain:'.length + 100_000);
});
