import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  flatten,
  JSON_HEADERS,
  packRequest,
  packResponse,
  unflatten,
  unpackRequest,
  unpackResponse,
} from './http-envelope.ts';

describe('requests', () => {
  const headers = fc.array(fc.tuple(fc.stringMatching(/^[a-z-]+$/), fc.stringMatching(/^[ -~]*$/)));

  test('arrive as they were sent, whatever is in their URL', () => {
    const body = fc.option(fc.oneof(fc.string(), fc.uint8Array()), { nil: undefined });
    fc.assert(
      fc.property(fc.string(), headers, body, (path, pairs, body) => {
        const url = `http://host/${path}`;
        const flat = flatten(pairs.flat());
        const [method, ...rest] = unpackRequest(packRequest('GET', url, flat, body));
        expect(method).toBe('GET');
        expect(rest).toEqual([url, flat, body]);
      }),
    );
  });

  test('cross as one text if they have no body', () => {
    const headers = flatten(['host', 'a', 'accept', '*/*']);
    expect(packRequest('GET', 'http://a/', headers, undefined)).toBeTypeOf('string');
    expect(packRequest('GET', 'http://a/', '', undefined)).toBeTypeOf('string');
    expect(packRequest('POST', 'http://a/', headers, 'body')).toBeInstanceOf(Array);
    expect(packRequest('POST', 'http://a/', headers, '')).toBeInstanceOf(Array);
  });

  test('keep a NUL that middleware has written into their URL', () => {
    const packed = packRequest('GET', 'http://a/\0b', flatten(['host', 'a']), undefined);
    const [, url, headers] = unpackRequest(packed);
    expect(url).toBe('http://a/\0b');
    expect(unflatten(headers)).toEqual(['host', 'a']);
  });
});

describe('responses', () => {
  test('arrive as they were sent', () => {
    const cases = [
      [200, JSON_HEADERS, '{"ok":true}'],
      [200, JSON_HEADERS, ''],
      [201, JSON_HEADERS, '{}'],
      [200, flatten(['content-type', 'text/plain']), 'text'],
      [200, JSON_HEADERS, new Uint8Array([1])],
      [204, '', undefined],
    ] as const;
    for (const [status, headers, body] of cases)
      expect(unpackResponse(packResponse(status, headers, body))).toEqual([status, headers, body]);
  });

  test('cross as their text alone if they are JSON with status 200', () => {
    expect(packResponse(200, JSON_HEADERS, '[1]')).toBe('[1]');
    expect(packResponse(400, JSON_HEADERS, '[1]')).toBeInstanceOf(Array);
  });
});
