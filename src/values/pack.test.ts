import { expect, test } from 'vitest';
import { copyPacked, pack, unpack } from './pack.ts';

test('a copy of what is packed is unpacked, and the packed value stays as it was', () => {
  const packed = pack(
    { error: new RangeError('no'), list: [new Map([['key', new RangeError('deep')]])] },
    'value',
  );
  const before = structuredClone(packed.value);
  for (let round = 0; round < 2; round++) {
    const { error, list } = unpack(copyPacked(packed)) as { error: Error; list: Map<string, Error>[] };
    expect(error).toBeInstanceOf(RangeError);
    expect(list[0]?.get('key')).toBeInstanceOf(RangeError);
  }
  expect(packed.value).toEqual(before);
});

test('a key __proto__ is copied as a key', () => {
  const given = JSON.parse('{ "__proto__": { "isAdmin": true } }') as object;
  const copy = unpack(copyPacked({ value: given, marks: undefined })) as object;
  expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  expect(Object.keys(copy)).toEqual(['__proto__']);
  expect('isAdmin' in copy).toBe(false);
});
