import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseJson } from './json-text.ts';

function refusal(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    return error;
  }
}

describe('parseJson', () => {
  test('reads what JSON.parse reads', () => {
    const anyJson = fc
      .jsonValue({ maxDepth: 8 })
      .filter((value) => !/__proto__|prototype/.test(JSON.stringify(value)));
    fc.assert(
      fc.property(anyJson, fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  test('64 levels are fine, 65 are refused, and brackets in strings do not count', () => {
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    expect(parseJson(nested(64))).toHaveLength(1);
    expect(refusal(nested(65))).toMatchObject({ code: 'SERVE_BAD_REQUEST', statusCode: 400 });
    expect(refusal(`${'{"a":'.repeat(65)}1${'}'.repeat(65)}`)).toMatchObject({ code: 'SERVE_BAD_REQUEST' });
    expect(parseJson(JSON.stringify({ text: nested(100), quoted: '\\"[[{' }))).toMatchObject({
      quoted: '\\"[[{',
    });
    expect(parseJson(`[${'[1],'.repeat(1_000)}[1]]`)).toHaveLength(1_001);
  });

  test('a million levels are refused without being parsed', () => {
    expect(refusal('['.repeat(1_000_000))).toMatchObject({
      code: 'SERVE_BAD_REQUEST',
      detail: 'the body is nested more than 64 levels deep',
    });
  });

  test('10 000 keys in one object are fine, one more is refused; many objects are fine', () => {
    const keys = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, n])));
    expect(Object.keys(parseJson(keys(10_000)) as object)).toHaveLength(10_000);
    expect(refusal(keys(10_001))).toMatchObject({
      detail: 'the body has an object with more than 10000 keys',
    });
    expect(refusal(`[[${keys(20_000)}]]`)).toMatchObject({ code: 'SERVE_BAD_REQUEST' });
    expect(parseJson(`[${Array(3).fill(keys(9_000)).join(',')}]`)).toHaveLength(3);
  });

  test.each([
    '{"__proto__":{"admin":true}}',
    '{"a":[{"b":{"__proto__" \n : null}}]}',
    '{"\\u005f\\u005fproto\\u005F_":{"admin":true}}',
    '{"constructor":{"prototype":{"admin":true}}}',
    '{"x":{"constructor":{"a":[1],"prototype":{"admin":true}}}}',
    '{"\\u0063onstructor":{"protot\\u0079pe":{}}}',
  ])('no key reaches a prototype: %s', (text) => {
    expect(refusal(text)).toMatchObject({
      code: 'SERVE_BAD_REQUEST',
      detail: expect.stringContaining('not allowed'),
    });
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  test.each([
    '{"a":"__proto__"}',
    '["__proto__"]',
    '{"constructor":1,"prototype":2}',
    '{"prototype":{"constructor":{}}}',
  ])('harmless: %s', (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text));
  });

  test.each([
    '',
    ' ',
    '{',
    '{"a":}',
    '{"a" "b"}',
    '"open',
    '"\\',
    ']]]]{',
    'nul',
    '{"a":1}}',
    '\u0000',
    ':::',
    '"a":1',
  ])('malformed: %j', (text) => {
    expect(refusal(text)).toMatchObject({ code: 'SERVE_BAD_REQUEST', statusCode: 400, retryable: false });
  });
});
