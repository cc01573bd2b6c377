import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CallMeta, packMeta, unpackMeta } from './frames.ts';

describe('metadata', () => {
  test('arrive as they were sent', () => {
    const text = fc.string({ minLength: 1 });
    const word = fc.stringMatching(/^[\w/.:-]+$/);
    const meta = fc.record(
      {
        requestId: word,
        route: word,
        ip: text,
        mountPath: text,
        tenant: text,
        params: fc.dictionary(word, text),
        upload: fc.constantFrom('eager' as const, 'lazy' as const),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(meta, (given) => {
        expect(unpackMeta(packMeta(given))).toEqual(given);
      }),
    );
  });

  test('cross as text if nothing but an HTTP request without extras is described', () => {
    const http: CallMeta = { requestId: 'a-1', route: '/', ip: '::1', mountPath: '/app' };
    expect(packMeta(http)).toBeTypeOf('string');
    expect(packMeta({ requestId: 'a-1' })).toBe('a-1');
    expect(packMeta({ ...http, tenant: 'a' })).toBeTypeOf('object');
  });

  test('keep a line break that the host has in an address or a path', () => {
    const odd: CallMeta = { requestId: 'a-1', route: '/', ip: 'a\nb', mountPath: '/c\nd' };
    expect(unpackMeta(packMeta(odd))).toEqual(odd);
  });
});
