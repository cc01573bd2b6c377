import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VIEW_NAMES, valueGraph } from '../../test/arbitraries/value.ts';
import { Capture } from './capture.ts';
import { digest, digestFixed, prepareFixed } from './digest.ts';

const MIB = 1_048_576;

/** A value in the form in which it is sent. */
function captured(value: unknown): { value: unknown; marks: unknown[] | undefined } {
  const capture = new Capture();
  return { value: capture.take(value, 'send', 0), marks: capture.marks };
}

function bytes(length: number, fill = 1): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(fill);
}

const ALLOWED: ReadonlyArray<readonly [string, () => unknown]> = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['true', () => true],
  ['zero', () => 0],
  ['negative zero', () => -0],
  ['NaN', () => Number.NaN],
  ['a number', () => 1],
  ['a bigint', () => 1n],
  ['a string', () => '1'],
  ['another string', () => 'true'],
  ['a string like a key', () => '"a":1'],
  ['half a character', () => '\ud800'],
  ['the other half', () => '\udc00'],
  ['an empty object', () => ({})],
  ['an object', () => ({ a: 1, b: 2 })],
  ['an object of undefined', () => ({ a: 1, b: 2, c: undefined })],
  ['a nested object', () => ({ a: { a: 1, b: 2 } })],
  ['an empty array', () => []],
  ['an array', () => [1, 2]],
  ['an array of an array', () => [[1, 2]]],
  ['an array with undefined', () => [1, undefined]],
  ['an array with a hole', () => Object.assign([1], { length: 2 })],
  ['an array with a name', () => Object.assign([1, 2], { unit: 'ms' })],
  ['an array of holes', () => new Array(3)],
  ['a Map', () => new Map([['a', 1]])],
  ['a Map the other way round', () => new Map([[1, 'a']])],
  ['a Set', () => new Set(['a', 1])],
  ['a Date', () => new Date(5)],
  ['another Date', () => new Date(6)],
  ['no Date', () => new Date(Number.NaN)],
  ['a RegExp', () => /a/g],
  ['the RegExp with other flags', () => /a/i],
  ['an Error', () => new Error('a')],
  ['a TypeError', () => new TypeError('a')],
  ['an Error with a cause', () => new Error('a', { cause: 1 })],
  ['an Error with data', () => Object.assign(new Error('a'), { code: 'A' })],
  ['an AggregateError', () => new AggregateError([new Error('a')], 'a')],
  ...VIEW_NAMES.map((name): [string, () => unknown] => [
    `a ${name}`,
    () => new (Reflect.get(globalThis, name) as Uint8ArrayConstructor)(bytes(8).buffer),
  ]),
  ['a Buffer', () => Buffer.from(bytes(8))],
  ['an ArrayBuffer', () => bytes(8).buffer],
  ['a resizable ArrayBuffer', () => new ArrayBuffer(8, { maxByteLength: 16 })],
  ['other bytes', () => bytes(8, 2)],
  ['fewer bytes', () => bytes(7)],
  ['no bytes', () => bytes(0)],
  ['many bytes', () => bytes(3 * MIB)],
  ['many bytes, the last one other', () => bytes(3 * MIB).fill(2, -1)],
  ['a long string', () => 'a'.repeat(MIB)],
  ['a long string of other characters', () => 'ā'.repeat(MIB)],
  ['a long text in a container', () => [Array.from({ length: 1_000 }, (_, index) => ({ index }))]],
  ['another one', () => [Array.from({ length: 1_000 }, (_, index) => ({ index: index % 999 }))]],
];

describe('every allowed value has a canonical form', () => {
  test('of its own', () => {
    const known = new Map<unknown, string>();
    for (const [name, make] of ALLOWED)
      for (const value of [make(), { nested: make() }]) {
        const hash = digest({ value }) as string;
        expect(known.get(hash), name).toBeUndefined();
        known.set(hash, name);
      }
  });

  test.each(ALLOWED)('the same each time, captured or not: %s', (_name, make) => {
    const hash = digest({ value: make() });
    expect(digest({ value: make() })).toBe(hash);
    expect(digest(captured(make()))).toBe(hash);
    expect(digestFixed(make())).toBe(hash);
  });

  test('the same for equal graphs', () => {
    fc.assert(
      fc.property(valueGraph, (recipe) => {
        const value = recipe.make();
        // Shared memory is itself only.
        fc.pre(!holdsSharedMemory(value));
        const hash = digest({ value });
        expect(digest({ value: recipe.make() })).toBe(hash);
        expect(digest(captured(value))).toBe(hash);
      }),
      { numRuns: 500 },
    );
  });

  test('whatever the order of keys', () => {
    expect(digest({ value: { a: 1, b: [{ c: 1, d: 2 }] } })).toBe(
      digest({ value: { b: [{ d: 2, c: 1 }], a: 1 } }),
    );
  });

  test('whether an object is there twice or equal to another', () => {
    const one = { list: Array.from({ length: 500 }, (_, index) => index) };
    expect(digest({ value: [one, one] })).toBe(digest({ value: [one, structuredClone(one)] }));
  });

  test('without the stack of an error, which says where it was made', () => {
    const make = (): Error => new Error('a');
    const elsewhere = (): Error => make();
    expect(digest({ value: make() })).toBe(digest({ value: elsewhere() }));
  });

  test('what has no content to be read counts as itself', () => {
    const itself = [new SharedArrayBuffer(8), () => {}, new WeakMap(), Promise.resolve()];
    for (const value of itself) {
      expect(digest({ value })).toBe(digest({ value }));
      expect(digest({ value: { value } })).toBe(digest({ value: { value } }));
    }
    expect(
      new Set([...itself, new SharedArrayBuffer(8), () => {}].map((value) => digest({ value }))).size,
    ).toBe(6);
    const shared = new SharedArrayBuffer(8);
    expect(digest({ value: new Uint8Array(shared, 1, 2) })).toBe(
      digest({ value: new Uint8Array(shared, 1, 2) }),
    );
    expect(digest({ value: new Uint8Array(shared, 1, 2) })).not.toBe(
      digest({ value: new Uint8Array(shared, 2, 2) }),
    );
  });
});

describe('what is large is hashed on another thread', () => {
  test('memory, in the form that it has on this one', async () => {
    const large = bytes(100 * MIB);
    const value = { large, text: 'x'.repeat(8 * MIB), view: new Float64Array(large.buffer, 8, 4) };
    let turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns++;
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    const hash = digest({ value });
    expect(hash).toBeInstanceOf(Promise);
    const awaited = await hash;
    isOver = true;
    expect(turns).toBeGreaterThan(10);
    expect(awaited).toBe(digestFixed(value));
    expect(await digest(captured(value))).toBe(await hash);
    large[99 * MIB] = 2;
    expect(await digest({ value })).not.toBe(await hash);
  });

  test('many small ones like a large one', async () => {
    const rows = Array.from({ length: 100 }, (_, index) => bytes(MIB / 10, index));
    const hash = digest({ value: rows });
    expect(hash).toBeInstanceOf(Promise);
    expect(await hash).toBe(digestFixed(rows));
  });

  test('more than a string can hold', async () => {
    const value = new Uint8Array(410_000_000);
    expect(await digest({ value })).toMatch(/^[0-9a-f]{64}$/);
  });

  test('a Blob, by its type and bytes', async () => {
    const blobs = [
      new Blob(['a']),
      new Blob(['a']),
      new Blob(['b']),
      new Blob(['a'], { type: 'text/plain' }),
    ];
    const [a, same, other, otherType] = await Promise.all(blobs.map((value) => digest({ value: { value } })));
    expect(a).toBe(same);
    expect(new Set([a, other, otherType]).size).toBe(3);
  });

  test('in the stable form that is asked for', async () => {
    const value = { large: bytes(8 * MIB), changing: 1 };
    const expected = await digest({ value });
    const hash = digest({ value }, () => captured(value));
    value.changing = 2;
    value.large.fill(0);
    expect(await hash).toBe(expected);
  });

  test('bound arguments before they are compiled; there a Blob counts as itself', async () => {
    const [blob, large] = [new Blob(['a']), bytes(8 * MIB)];
    const value = { blob, large };
    expect(prepareFixed({ blob, small: bytes(MIB) })).toBeUndefined();
    await prepareFixed(value);
    expect(prepareFixed(value)).toBeUndefined();
    expect(digestFixed(value)).toBe(digestFixed({ blob, large: large.slice() }));
    expect(digestFixed(value)).not.toBe(digestFixed({ blob: new Blob(['a']), large }));
  });
});

test('a value that refers to itself, or to one part again and again, is hashed once', () => {
  let value: unknown = { end: true };
  for (let level = 0; level < 200; level++) value = { left: value, right: value };
  expect(digest({ value })).toMatch(/^[0-9a-f]{64}$/);
  const cycle: { self?: unknown } = {};
  cycle.self = [cycle];
  expect(digest({ value: cycle })).toBe(digest(captured(cycle)));
});

test('a sparse array that was not captured is not walked', () => {
  const list: number[] = [];
  list[2 ** 32 - 2] = 1;
  expect(digest({ value: list })).not.toBe(digest({ value: Object.assign([], { length: 2 ** 32 - 1 }) }));
});

function holdsSharedMemory(value: unknown, seen = new Set<unknown>()): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false;
  seen.add(value);
  if (value instanceof SharedArrayBuffer) return true;
  const items =
    value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value);
  if (value instanceof Error) items.push(value.cause);
  return !ArrayBuffer.isView(value) && items.some((item) => holdsSharedMemory(item, seen));
}
