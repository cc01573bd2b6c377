import { describe, expect, test } from 'vitest';
import { asFunction, asGeneratorFunction, withFetch, withoutParameters } from '../../fixtures/http/shapes.ts';
import { send } from '../../support/http/client.ts';
import { calmServe, type Mount, sharedProbe } from './setup.ts';

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
const JSON_TYPE = 'application/json; charset=utf-8';
const LINES = 'application/x-ndjson; charset=utf-8';

/** What an ingress may return, and what becomes of it. */
export function results(mount: Mount): void {
  describe('results', () => {
    const shared = sharedProbe(mount);
    const get = (kind: string) => send(shared.port, `/kind/${kind}`);

    test.each([
      ['text', TEXT, 'grüße'],
      ['empty-text', TEXT, ''],
      ['promise', TEXT, 'later'],
      ['object', JSON_TYPE, '{"a":[1,"zwei",null]}'],
      ['number', JSON_TYPE, '0.5'],
      ['zero', JSON_TYPE, '0'],
      ['boolean', JSON_TYPE, 'false'],
      ['array', JSON_TYPE, '[1,2]'],
      ['date', JSON_TYPE, '"1970-01-01T00:00:00.000Z"'],
      ['response-json', 'application/json', '{"ok":true}'],
      ['blob', 'text/css', 'a blob'],
      ['url-search-params', 'application/x-www-form-urlencoded;charset=UTF-8', 'a=b+c'],
    ])('18: %s: %s, whole', async (kind, type, text) => {
      const answer = await get(kind);
      expect(answer.headers['content-type']).toBe(type);
      expect(answer.text).toBe(text);
      expect(answer.headers['content-length']).toBe(String(answer.body.byteLength));
    });

    test.each([
      ['bytes', [0, 255, 128]],
      ['buffer', [1, 2, 3]],
      ['array-buffer', [7, 8]],
      ['floats', [0, 0, 192, 63]],
      ['empty-bytes', []],
    ])('18: %s: application/octet-stream', async (kind, bytes) => {
      const answer = await get(kind);
      expect(answer.headers['content-type']).toBe(BYTES);
      expect([...answer.body]).toEqual(bytes);
    });

    test.each([
      ['generator', TEXT, 'one,two'],
      ['byte-generator', BYTES, '\u0001\u0002'],
      ['object-generator', LINES, '{"n":1}\n{"n":2}\n'],
      ['iterable', TEXT, 'async,iterable'],
      ['stream', TEXT, 'readable'],
      ['response-stream', undefined, 'abc'],
    ])('%s: %s, streamed', async (kind, type, text) => {
      const answer = await get(kind);
      expect(answer.headers['content-type']).toBe(type);
      expect(answer.headers['transfer-encoding']).toBe('chunked');
      expect(answer.text).toBe(text);
    });

    test('a generator without items is an empty answer', async () => {
      const answer = await get('empty-generator');
      expect(answer).toMatchObject({ status: 200, text: '' });
    });

    test.each(['undefined', 'null'])('18: %s: 204', async (kind) => {
      const answer = await get(kind);
      expect(answer).toMatchObject({ status: 204, text: '' });
      expect(answer.headers['content-type']).toBeUndefined();
    });

    test('18: a Response passes through', async () => {
      const answer = await get('response');
      expect(answer).toMatchObject({ status: 201, text: 'made' });
      expect(answer.headers).toMatchObject({
        'content-type': 'text/x-made',
        'x-one': 'a',
        etag: '"e"',
        'content-length': '4',
      });
    });

    test('a redirect passes through', async () => {
      const answer = await get('response-redirect');
      expect(answer).toMatchObject({ status: 307, headers: { location: 'https://example.com/there' } });
    });

    test.each(['response-empty', 'length-without-body'])('%s: no body, and says so', async (kind) => {
      const answer = await get(kind);
      expect(answer).toMatchObject({ status: 200, text: '' });
      expect(answer.headers['content-length']).toBe('0');
    });

    test.each(['bigint', 'function', 'response-error', 'response-used', 'response-of-objects'])(
      '%s cannot be an answer: 500',
      async (kind) => {
        const answer = await get(kind);
        expect(answer.status).toBe(500);
        expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
      },
    );

    test('the answer of another server is handed on decoded', async () => {
      const answer = await send(shared.port, '/request/proxy');
      expect(answer.headers).toMatchObject({ 'x-upstream': 'yes' });
      expect(answer.headers['content-encoding']).toBeUndefined();
      expect(answer.text).toBe('zipped upstream');
    });
  });

  describe('shapes of an ingress', () => {
    test.each([
      ['a function', asFunction, 'function /path'],
      ['a generator function', asGeneratorFunction, 'GET streamed'],
      ['call() without parameters', withoutParameters, 'arguments: 0'],
    ])('%s', async (_name, deployment, text) => {
      await using serve = calmServe();
      await using server = await mount({ serve, app: deployment.bind() });
      expect((await send(server.port, '/path')).text).toBe(text);
    });

    test('fetch(request) goes before call(request)', async () => {
      await using serve = calmServe();
      await using server = await mount({ serve, app: withFetch.bind('hello') });
      expect((await send(server.port, '/path')).text).toBe('hello /path');
    });
  });
}
