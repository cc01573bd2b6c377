import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeView, VIEW_NAMES, valueGraph } from '../../test/arbitraries/value.ts';
import { isSameGraph } from '../../test/support/graph.ts';
import { send } from '../../test/support/post.ts';
import { Capture } from './capture.ts';
import { hasShared } from './marks.ts';
import { LARGE_BYTES } from './memory.ts';

describe('what arrives', () => {
  test('is the same graph: equal values, the same sharing, the same cycles', () => {
    fc.assert(
      fc.property(valueGraph, (recipe) => {
        const original = recipe.make();
        return isSameGraph(original, send(original));
      }),
      { numRuns: 1_500 },
    );
  });

  test('is what the value was when it was taken, whatever the caller changes after that', () => {
    fc.assert(
      fc.property(valueGraph, (recipe) => {
        const original = recipe.make();
        const capture = new Capture();
        const captured = capture.take(original, 'send', 0);
        spoil(original);
        const again = new Capture();
        const expected = again.take(recipe.make(), 'send', 0);
        return isSameGraph([captured, capture.marks], [expected, again.marks]);
      }),
      { numRuns: 1_000 },
    );
  });

  test.each(VIEW_NAMES)('is a %s of the same bytes', (name) => {
    const bytes = Uint8Array.from({ length: 48 }, (_, index) => index * 5);
    const view = makeView(name, bytes, 2);
    const arrived = send({ view }) as { view: ArrayBufferView };
    expect(Object.getPrototypeOf(arrived.view)).toBe(Object.getPrototypeOf(view));
    expect(Buffer.from(arrived.view.buffer, arrived.view.byteOffset, arrived.view.byteLength)).toEqual(
      Buffer.from(bytes),
    );
  });

  test.each([
    ['a hole', withHole()],
    ['only holes', new Array(3)],
    ['a name', Object.assign([1, 2], { unit: 'ms' })],
    ['as many holes as names', Object.assign(withHole(), { unit: 'ms' })],
    ['a name that starts like an index', Object.assign(withHole(), { '1st': {} })],
    ['a name, and many items', Object.assign(new Array(1_000).fill(Number.NaN), { unit: ['ms'] })],
    ['names of array methods', Object.assign([1], { slice: 'of cake', map: { scale: 2 } })],
    ['what RegExp.exec answers', /b(c)/.exec('abcd')],
  ])('keeps arrays as they are: %s', (_what, list) => {
    expect(isSameGraph(list, send(list))).toBe(true);
  });

  test.each([
    ['an object twice', () => twice({ x: 1 }), true],
    ['a cycle', () => cyclic(), true],
    ['a date twice in a map', () => new Map([['a', twice(new Date(0))]]), true],
    ['a view twice', () => twice(new Uint8Array(2)), true],
    ['equal objects', () => [{ x: 1 }, { x: 1 }], false],
    ['a string twice', () => twice('text'), false],
  ])('says whether an object occurs twice: %s', (_what, make, isShared) => {
    const capture = new Capture();
    capture.take(make(), 'send', 0);
    expect(hasShared(capture.marks ?? [])).toBe(isShared);
  });

  test('keeps own keys called __proto__ as data', () => {
    const value = JSON.parse('{"__proto__":{"isAdmin":true},"x":{"__proto__":null}}');
    const arrived = send(value) as { isAdmin?: boolean };
    expect(arrived).toStrictEqual(value);
    expect(arrived.isAdmin).toBeUndefined();
    expect(Object.getPrototypeOf(arrived)).toBe(Object.prototype);
  });

  test('shares SharedArrayBuffers instead of copying them', () => {
    const shared = new SharedArrayBuffer(4);
    const arrived = send([new Int32Array(shared), shared]) as [Int32Array, SharedArrayBuffer];
    arrived[0][0] = 7;
    expect(new Int32Array(shared)[0]).toBe(7);
    expect(arrived[0].buffer).toBe(arrived[1]);
  });

  test('keeps a resizable buffer resizable', () => {
    const buffer = new ArrayBuffer(4, { maxByteLength: 16 });
    const arrived = send(buffer) as ArrayBuffer;
    arrived.resize(16);
    expect(arrived.byteLength).toBe(16);
    expect(buffer.byteLength).toBe(4);
  });

  test('keeps a Blob', async () => {
    const arrived = send({ blob: new Blob(['text'], { type: 'text/plain' }) }) as { blob: Blob };
    expect(arrived.blob.type).toBe('text/plain');
    expect(await arrived.blob.text()).toBe('text');
  });

  test('ignores what was added to Object.prototype', () => {
    Object.assign(Object.prototype, { polluted: () => {} });
    try {
      expect(send({ x: 1 })).toStrictEqual({ x: 1 });
    } finally {
      Reflect.deleteProperty(Object.prototype, 'polluted');
    }
  });
});

describe('what is sent', () => {
  test('carries the bytes of a small view only, not its pool', () => {
    const pooled = Buffer.from('sixteen bytes ..');
    expect(pooled.buffer.byteLength).toBeGreaterThan(pooled.byteLength);
    const capture = new Capture();
    const captured = capture.take(pooled, 'send', 0) as Uint8Array;
    expect(captured.buffer.byteLength).toBe(16);
    expect(capture.transfer).toBeUndefined();
    expect(send(pooled)).toStrictEqual(pooled);
  });

  test('moves a copy of a large view, and leaves the original alone', () => {
    const large = new Uint8Array(LARGE_BYTES + 8).subarray(8).fill(3);
    const capture = new Capture();
    const captured = capture.take({ large, again: large }, 'send', 0) as { large: Uint8Array };
    expect(capture.transfer).toEqual([captured.large.buffer]);
    expect(captured.large.buffer).not.toBe(large.buffer);
    expect(captured.large.buffer.byteLength).toBe(LARGE_BYTES);
    expect(send(large)).toStrictEqual(large.slice());
    expect(large.byteLength).toBe(LARGE_BYTES);

    const small = new Capture();
    small.take(new Uint8Array(LARGE_BYTES - 1), 'send', 0);
    expect(small.transfer).toBeUndefined();
  });

  test('counts about the bytes that are in flight, moved ones too', () => {
    const bytes = (value: unknown): number => {
      const capture = new Capture();
      capture.take(value, 'send', 0);
      return capture.bytes;
    };
    expect(bytes('x'.repeat(1_000))).toBe(1_000);
    expect(bytes({ a: ['x'.repeat(1_000)] })).toBeGreaterThanOrEqual(1_000);
    expect(bytes(new Uint8Array(1_000))).toBe(1_000);
    expect(bytes(new Uint8Array(1_000_000))).toBe(1_000_000);
    expect(bytes(new Array(1_000).fill(0))).toBe(8_000);
  });

  test('starts from nothing after a reset', () => {
    const capture = new Capture();
    const value = { error: new Error('x'), large: new Uint8Array(LARGE_BYTES) };
    const first = capture.take(value, 'send', 0);
    capture.reset();
    expect([capture.bytes, capture.marks, capture.transfer]).toEqual([0, undefined, undefined]);
    expect(capture.take(value, 'send', 0)).not.toBe(first);
  });

  test('reads each getter once', () => {
    let reads = 0;
    const value = {
      get x() {
        return ++reads;
      },
    };
    expect(send(value)).toStrictEqual({ x: 1 });
  });
});

function withHole(): unknown[] {
  return Object.assign(new Array(3), { 0: 1, 2: [3] });
}

/** Changes everything that can be reached, shared memory aside. */
function spoil(value: unknown, done = new Set<unknown>()): void {
  if (typeof value !== 'object' || value === null || done.has(value)) return;
  done.add(value);
  if (value instanceof Map) {
    for (const item of [...value].flat()) spoil(item, done);
    value.clear();
  } else if (value instanceof Set) {
    for (const item of value) spoil(item, done);
    value.clear();
  } else if (value instanceof Date) {
    value.setTime(0);
  } else if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) {
      new Uint8Array(value.buffer, value.byteOffset, value.byteLength).fill(0xee);
    }
  } else if (value instanceof ArrayBuffer) {
    new Uint8Array(value).fill(0xee);
  } else if (!(value instanceof SharedArrayBuffer) && !(value instanceof RegExp)) {
    for (const key of Object.keys(value)) {
      spoil(Reflect.get(value, key), done);
      Reflect.set(value, key, 'spoilt');
    }
    if (Array.isArray(value)) value.push('spoilt');
    if (value instanceof Error) value.cause = 'spoilt';
  }
}

function twice<T>(value: T): [T, T] {
  return [value, value];
}

function cyclic(): object {
  const value: { self?: unknown } = {};
  value.self = value;
  return value;
}
