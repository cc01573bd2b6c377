import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeView, VIEW_NAMES, valueGraph } from '../../test/arbitraries/value.ts';
import { isSameGraph } from '../../test/support/graph.ts';
import { quickOrWhole } from '../../test/support/long-run.ts';
import { send } from '../../test/support/post.ts';
import { decode, encode, sendToPeer } from '../../test/support/wire/codec.ts';
import { Capture } from '../values/capture.ts';
import { hasShared, MARK } from '../values/marks.ts';
import { Codec } from './codec.ts';
import { EXTENSION, VIEWS } from './values/extension.ts';
import { Lowering } from './values/lower.ts';

/** Only threads can share memory. */
function holdsSharedMemory(value: unknown, seen = new Set<unknown>()): boolean {
  if (typeof value !== 'object' || value === null || seen.has(value)) return false;
  seen.add(value);
  if (value instanceof SharedArrayBuffer) return true;
  const members =
    value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value);
  if (value instanceof Error) members.push(value.cause);
  return !ArrayBuffer.isView(value) && members.some((member) => holdsSharedMemory(member, seen));
}

describe('what arrives at another instance', () => {
  test('is the graph that arrives at another thread', () => {
    fc.assert(
      fc.property(valueGraph, (recipe) => {
        fc.pre(!holdsSharedMemory(recipe.make()));
        const original = recipe.make();
        return isSameGraph(send(original), sendToPeer(original));
      }),
      { numRuns: quickOrWhole(500, 1_500) },
    );
  });

  test('is what structured clone gives, for plain data', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withTypedArray: true,
          withSparseArray: true,
        }),
        (value) => {
          let captured: unknown;
          try {
            captured = new Capture().take(value, 'send', 0);
          } catch {
            // A sparse array that is too long.
            fc.pre(false);
          }
          fc.pre(captured !== undefined);
          expect(sendToPeer(value)).toEqual(structuredClone(captured));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test.each([
    0,
    -0,
    1,
    -1,
    31,
    32,
    127,
    128,
    255,
    256,
    65_535,
    65_536,
    2 ** 31,
    2 ** 32,
    -32,
    -33,
    -128,
    -129,
    -32_768,
    -32_769,
    -(2 ** 31),
    -(2 ** 31) - 1,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
    2 ** 53,
    1e300,
    5e-324,
    0.1,
    -0.5,
    Number.NaN,
    Infinity,
    -Infinity,
    2 ** 63,
    2 ** 64,
  ])('is the number %s', (number) => {
    expect(Object.is(sendToPeer(number), number)).toBe(true);
    expect(Object.is((sendToPeer([{ number }]) as [{ number: number }])[0].number, number)).toBe(true);
  });

  test.each([
    0n,
    1n,
    -1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
    2n ** 63n,
    -(2n ** 63n) - 1n,
    2n ** 64n,
    -(2n ** 200n),
    2n ** 4_096n - 1n,
  ])('is the bigint %s', (bigint) => {
    expect(sendToPeer(bigint)).toBe(bigint);
  });

  test.each([
    ['a lone surrogate', '\ud800'],
    ['lone surrogates in a long text', `${'x'.repeat(300)}\udc00\ud800`],
    ['a byte order mark', '\ufeff'],
    ['a byte order mark in front of a long text', `\ufeff${'é'.repeat(300)}`],
    ['no character', ''],
    ['all planes', 'aé€😀'.repeat(100)],
    ['a long text', 'x'.repeat(70_000)],
  ])('is a text with %s, as a value and as a key', (_what, text) => {
    expect(sendToPeer(text)).toBe(text);
    expect(sendToPeer({ [text]: text })).toEqual({ [text]: text });
    expect(sendToPeer(new Map([[text, text]]))).toEqual(new Map([[text, text]]));
  });

  test('has the own keys that other objects inherit', () => {
    const value = JSON.parse(
      '{"__proto__":{"isAdmin":true},"constructor":1,"toString":{"__proto__":null},"x":[]}',
    );
    const arrived = sendToPeer(value) as { isAdmin?: boolean };
    expect(Object.keys(arrived)).toEqual(Object.keys(value));
    expect(arrived).toEqual(value);
    expect(arrived.isAdmin).toBe(undefined);
    expect(Object.getPrototypeOf(arrived)).toBe(Object.prototype);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBe(undefined);
  });

  test('is not confused by keys that an app adds to Object.prototype', () => {
    Object.defineProperty(Object.prototype, 'added', {
      value: () => 1,
      enumerable: true,
      configurable: true,
    });
    const arrived = sendToPeer({ x: 1, y: -0 });
    Reflect.deleteProperty(Object.prototype, 'added');
    expect(JSON.stringify(arrived)).toBe('{"x":1,"y":0}');
  });

  test.each([
    ['a hole', withHole(1, 3)],
    ['only holes', new Array(3)],
    ['holes and undefined', withHole(undefined, undefined)],
    ['a name', Object.assign([1, 2], { unit: 'ms' })],
    ['a name and no items', Object.assign([], { unit: 'ms' })],
    ['a hole and a name', Object.assign(withHole(1, -0), { '1st': {} })],
    ['names of array methods', Object.assign([-0], { slice: 'of cake', map: { scale: 2 } })],
    ['what RegExp.exec answers', /b(c)/.exec('abcd')],
  ])('is an array with %s', (_what, list) => {
    expect(isSameGraph(list, sendToPeer(list))).toBe(true);
  });

  test.each(VIEW_NAMES)('is a %s of the same bytes', (name) => {
    const bytes = Uint8Array.from({ length: 48 }, (_, index) => index * 5);
    const view = makeView(name, bytes, 2);
    const { view: arrived } = sendToPeer({ view }) as { view: ArrayBufferView };
    expect(Object.getPrototypeOf(arrived)).toBe(Object.getPrototypeOf(view));
    expect(Buffer.from(arrived.buffer, arrived.byteOffset, arrived.byteLength)).toEqual(Buffer.from(bytes));
  });

  test.each([16, 20_000])('keeps views on the buffer that they share (%s bytes)', (size) => {
    const buffer = new ArrayBuffer(size);
    const value = { words: new Uint16Array(buffer, 2, 4), bytes: new Uint8Array(buffer), buffer };
    const arrived = sendToPeer(value) as typeof value;
    arrived.bytes[2] = 7;
    expect(arrived.words[0]).toBe(7);
    expect(arrived.bytes.buffer).toBe(arrived.buffer);
  });

  test('has its large binaries beside the head', () => {
    const value = { a: new Uint8Array(16_384).fill(1), b: new Uint8Array(16_383).fill(2) };
    const { bytes, large } = encode(value);
    expect(large.map(({ byteLength }) => byteLength)).toEqual([16_384]);
    expect(bytes.length).toBeLessThan(16_600);
    expect(decode(bytes, large).value).toEqual(value);
  });

  test('is at most three times as large as was estimated, so that no message is too long', () => {
    fc.assert(
      fc.property(valueGraph, fc.string({ unit: 'binary', maxLength: 300 }), (recipe, text) => {
        fc.pre(!holdsSharedMemory(recipe.make()));
        const capture = new Capture();
        const captured = capture.take([recipe.make(), text, [null, undefined, true]], 'send', 0);
        const lowering = new Lowering();
        const { bytes } = encode(captured, capture.marks, lowering);
        expect(bytes.length).toBeLessThan(3 * lowering.bytes + 64);
      }),
      { numRuns: quickOrWhole(60, 300) },
    );
  });

  test('is as deep as what arrives at another thread', () => {
    const value = nested(1_000);
    expect(isSameGraph(value, sendToPeer(value))).toBe(true);
    const maps = nestedMap(1_000);
    expect(isSameGraph(maps, sendToPeer(maps))).toBe(true);
  });
});

describe('marks', () => {
  test('arrive with their stand-ins; nothing is revived', () => {
    const error = new RangeError('out of range');
    const capture = new Capture();
    const captured = capture.take({ list: [Buffer.from('b'), error], error }, 'send', 0);
    const { bytes } = encode(captured, capture.marks);
    const { value, marks } = decode(bytes);
    const { list } = value as { list: unknown[] };
    expect(marks?.length).toBe(6);
    expect(marks?.[(marks?.indexOf(list[0]) ?? 0) + 1]).toBe(MARK.buffer);
    expect(marks?.[(marks?.indexOf(list[1]) ?? 0) + 1]).toBe(MARK.error);
    expect(list[0]).toBeInstanceOf(Uint8Array);
    expect(Buffer.isBuffer(list[0])).toBe(false);
    expect(Object.getPrototypeOf(list[1])).toBe(Object.prototype);
    expect(hasShared(marks ?? [])).toBe(true);
  });

  test('are undefined where there are none', () => {
    expect(decode(encode([new Map()]).bytes).marks).toBe(undefined);
  });

  test('are those of a value that goes on to a third instance', () => {
    const inner = { x: 1 };
    const value = [inner, Buffer.from('b'), new TypeError('t'), inner];
    const capture = new Capture();
    const first = encode(capture.take(value, 'send', 0), capture.marks);
    const relayed = decode(first.bytes);
    expect(encode(relayed.value, relayed.marks).bytes).toEqual(first.bytes);
  });
});

describe('what cannot cross', () => {
  const shared = new SharedArrayBuffer(8);

  test.each<[string, unknown, string]>([
    ['shared memory', { list: [0, { shared }] }, 'value.list[1].shared'],
    ['a view of it', new Map([['view', new Uint8Array(shared)]]), 'value.view'],
    ['a Blob', [new Blob(['b'])], 'value[0]'],
    ['a long regular expression', { at: new RegExp('x'.repeat(4_096)) }, 'value.at'],
  ])('is refused by its path: %s', (_what, value, path) => {
    expect(() => encode(value)).toThrow(`${path} cannot cross to another process: it is`);
    expect(() => encode(value)).toThrow(expect.objectContaining({ code: 'SERVE_NOT_SERIALIZABLE' }));
  });

  test('is a view that the peer does not know', () => {
    const name = VIEWS.at(-1) as 'Float16Array';
    const View: { new (): ArrayBufferView } | undefined = Reflect.get(globalThis, name);
    if (View === undefined) return;
    const value = { list: [new Float32Array(1), new View()] };
    expect(() => encode(value, undefined, new Lowering(VIEWS.length - 1))).toThrow(
      `value.list[1] cannot cross to another process: it is a ${name}, which does not exist`,
    );
  });

  test('is a value that is too deep, or in itself without a mark', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => encode(cycle)).toThrow('nested more than 1000 levels deep');
    expect(() => encode(nested(1_001))).toThrow('nested more than 1000 levels deep');
  });
});

test('a regular expression of a later version of Node arrives as an error, and nothing else is lost', () => {
  const bytes = Buffer.from([0x92, 0x92, 1, 0xc7, 5, EXTENSION.regexp, 1, ...Buffer.from('z(a)'), 2]);
  const [list, two] = new Codec().decode(bytes) as [unknown[], number];
  expect(list[1]).toBeInstanceOf(SyntaxError);
  expect(two).toBe(2);
});

test('the captured value stays as it is', () => {
  fc.assert(
    fc.property(valueGraph, (recipe) => {
      fc.pre(!holdsSharedMemory(recipe.make()));
      const [first, second] = [new Capture(), new Capture()];
      const captured = first.take(recipe.make(), 'send', 0);
      const same = second.take(recipe.make(), 'send', 0);
      encode(captured, first.marks);
      return isSameGraph([captured, first.marks], [same, second.marks]);
    }),
    { numRuns: 500 },
  );
});

function withHole(first: unknown, last: unknown): unknown[] {
  const list = new Array(3);
  list[0] = first;
  list[2] = last;
  return list;
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level <= levels; level++) value = level % 2 === 0 ? [value] : { value };
  return value;
}

function nestedMap(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level <= levels; level++) value = new Map([['key', value]]);
  return value;
}
