import { describe, expect, test } from 'vitest';
import { toJson } from './to-json.ts';

describe('toJson', () => {
  test.each([
    [{ scores: Float32Array.from([0.5, 1]) }, '{"scores":[0.5,1]}'],
    [[new Uint8Array(0)], '[[]]'],
    [{ ids: BigInt64Array.from([1n, -2n]) }, '{"ids":[1,-2]}'],
    [{ data: Buffer.from('a') }, '{"data":{"type":"Buffer","data":[97]}}'],
    [{ '0': 'zero', empty: {} }, '{"0":"zero","empty":{}}'],
    [{ at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
  ])('writes %o', (value, text) => {
    expect(toJson(value)).toBe(text);
  });

  test.each([[{ id: 1n }], [{ ids: BigUint64Array.of(2n ** 60n) }], [undefined]])('refuses %o', (value) => {
    expect(() => toJson(value)).toThrow(expect.objectContaining({ code: 'SERVE_NOT_SERIALIZABLE' }));
  });
});
