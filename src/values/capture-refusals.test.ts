import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { isSameGraph } from '../../test/support/graph.ts';
import { send } from '../../test/support/post.ts';
import { ServeError } from '../errors.ts';
import { Capture, RESULT } from './capture.ts';

/** The error that a value is refused with, as argument 0 of `predict`. */
function refusal(value: unknown, index = 0): ServeError {
  try {
    new Capture().take(value, 'predict', index);
  } catch (error) {
    if (error instanceof ServeError && error.code === 'SERVE_NOT_SERIALIZABLE') return error;
    throw error;
  }
  throw new Error('it was not refused');
}

class Point {
  x = 1;
}

/** A class of that name. */
function called(name: string): new () => object {
  return Object.defineProperty(class {}, 'name', { value: name });
}

/** An array of a length, with some first items. */
function sparse(length: number, ...items: unknown[]): unknown[] {
  const list = [...items];
  list.length = length;
  return list;
}

const TOO_DEEP = 'predict(arg 0) cannot cross a thread: it is nested more than 1000 levels deep';

const NESTED = [
  ['a function', () => {}, 'it is a function'],
  ['a named function', Math.max, 'it is a function (max)'],
  ['a symbol', Symbol('s'), 'it is a symbol'],
  ['a class instance', new Point(), 'it is an instance of class Point'],
  ['a subclass of Map', new (class Index extends Map {})(), 'it is an instance of class Index'],
  [
    'a subclass of Uint8Array',
    new (class Image extends Uint8Array {})(4),
    'it is an instance of class Image',
  ],
  ['a class that is called like a built-in', new (called('Object'))(), 'it is an instance of class Object'],
  ['an instance of no named class', new (class {})(), 'it is an instance of class (anonymous)'],
  [
    'an AbortSignal',
    new AbortController().signal,
    'it is an AbortSignal; pass it with `options({ signal })`',
  ],
  ['a URL', new URL('http://x.test/'), 'it is an instance of class URL'],
  ['Headers', new Headers(), 'it is an instance of class Headers'],
  ['a Response', new Response('x'), 'it is an instance of class Response'],
  [
    'a Request',
    new Request('http://x.test/'),
    'a Request is allowed as a whole argument only, not inside a value',
  ],
  ['a stream', new ReadableStream(), 'it is a stream; return it from the method to stream a result'],
  ['a promise', Promise.resolve(1), 'it is a promise; await it first (a response may be a whole argument)'],
  ['a WeakMap', new WeakMap(), 'it is an instance of class WeakMap'],
  ['a boxed number', Object(1), 'it is an instance of class Number'],
  ['a Proxy', new Proxy({}, {}), 'it is a Proxy; pass a plain copy of what it stands for'],
  ['a Proxy of an array', new Proxy([], {}), 'it is a Proxy; pass a plain copy of what it stands for'],
] as const;

describe('a value that cannot cross is refused, naming the path', () => {
  test.each(NESTED)('%s', (_what, value, why) => {
    const refused = `cannot cross a thread: ${why}`;
    expect(refusal(value).message).toBe(`predict(arg 0) ${refused}`);
    expect(refusal({ a: [0, 1, 2, { b: value }] }).message).toBe(`predict(arg 0).a[3].b ${refused}`);
    expect(refusal(value, RESULT).message).toBe(`predict(result) ${refused}`);
  });

  test.each([
    ['a value of a Map', new Map([['k', new Point()]]), '.k'],
    ['a value of a Map under no string', new Map([[{}, new Point()]]), '[<key>]'],
    ['a key of a Map', new Map([[new Point(), 1]]), '[<key>]'],
    ['an item of a Set', new Set([new Point()]), '[<item>]'],
    ['a named property of an array', Object.assign([1], { extra: new Point() }), '.extra'],
    ['an array in an array', [[], [[new Point()]]], '[1][0][0]'],
  ])('%s', (_what, value, path) => {
    expect(refusal(value).message).toBe(
      `predict(arg 0)${path} cannot cross a thread: it is an instance of class Point`,
    );
  });

  test('a getter that throws, with what it threw as the cause', () => {
    const thrown = new RangeError('no image');
    const value = {
      fine: 1,
      get image(): never {
        throw thrown;
      },
    };
    const error = refusal({ list: [value] });
    expect(error.message).toBe(
      'predict(arg 0).list[0].image cannot cross a thread: reading it threw RangeError: no image',
    );
    expect(error.cause).toBe(thrown);
    const items = Object.defineProperty([1, 2], 1, { get: () => value.image, enumerable: true });
    expect(refusal({ items }).message).toContain('predict(arg 0).items[1] cannot cross');
    const named = Object.defineProperty([1, 2], 'first', { get: () => value.image, enumerable: true });
    expect(refusal({ named }).message).toContain('predict(arg 0).named.first cannot cross');
  });

  test.each([
    ['of the longest length', sparse(2 ** 32 - 1)],
    ['one item at the end', Object.assign([], { [1e8]: {} })],
    ['allocated and empty', new Array(100_000)],
    ['just too long', sparse(1_003, 1)],
    ['named properties', Object.assign(sparse(10_000), { unit: 'ms' })],
    ['a getter', Object.defineProperty(sparse(10_000), 5, { get: () => 1, enumerable: true })],
  ])('an array that is much longer than it has members: %s', (_what, list) => {
    const members = Object.keys(list).length;
    const started = performance.now();
    expect(refusal({ list }).message).toBe(
      `predict(arg 0).list cannot cross a thread: it is a sparse array: its length is ${list.length}, its members are ${members}`,
    );
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('what only looks like an array', () => {
    const fake = Object.assign(Object.create(Array.prototype), { length: 2 ** 32 });
    expect(refusal(fake).message).toContain('it is an instance of class Array');
  });

  test('no array with fewer holes', () => {
    for (const list of [sparse(1_000), sparse(1_002, 1), sparse(5_000, ...new Array(2_000).fill(undefined))])
      expect(isSameGraph(list, send(list))).toBe(true);
  });

  test('memory that was moved away before', () => {
    const gone = new Float64Array(4);
    gone.buffer.transfer();
    const why = 'cannot cross a thread: its memory was moved to another thread before';
    expect(refusal({ gone }).message).toContain(`predict(arg 0).gone ${why}`);
    expect(refusal([gone.buffer]).message).toContain(`predict(arg 0)[0] ${why}`);
    const view = new DataView(new ArrayBuffer(8));
    view.buffer.transfer();
    expect(refusal({ view }).message).toContain(`predict(arg 0).view ${why}`);
  });

  test('nesting beyond what every receiver can read', () => {
    const nest = (levels: number, wrap: (inner: unknown) => unknown): unknown => {
      let value: unknown = 1;
      for (let level = 0; level < levels; level++) value = wrap(value);
      return value;
    };
    const wraps: Array<(inner: unknown) => unknown> = [
      (a) => ({ a }),
      (a) => [a],
      (a) => new Map([[1, a]]),
      (a) => new Set([a]),
    ];
    for (const wrap of wraps) {
      expect(refusal(nest(100_000, wrap)).message).toBe(TOO_DEEP);
      const deep = nest(1_001, wrap);
      expect(isSameGraph(deep, send(deep))).toBe(true);
      expect(refusal(nest(1_002, wrap)).message).toBe(TOO_DEEP);
    }
  });

  test.each(['cause', 'inner'])('a chain of errors that is as deep arrives, its far end cut: %s', (key) => {
    let error = new Error('0');
    for (let level = 1; level < 5_000; level++)
      error = Object.assign(new Error(`${level}`), { [key]: error });
    let depth = 0;
    let at = (send({ error }) as { error: unknown }).error;
    for (; at instanceof Error; at = Reflect.get(at, key)) depth++;
    expect(depth).toBeGreaterThan(100);
    expect(at).toBe(key === 'cause' ? `Error: ${4_999 - depth}` : undefined);
  });
});

test('the capture can be used again after a refusal', () => {
  const capture = new Capture();
  expect(() => capture.take({ ok: {}, f: () => {} }, 'predict', 0)).toThrow(ServeError);
  capture.reset();
  expect(capture.take({ ok: {} }, 'predict', 0)).toEqual({ ok: {} });
});

describe('objects of another realm', () => {
  const realm = createContext({});
  const make = (code: string): unknown => runInContext(code, realm);

  test.each([
    ['a plain object', '({ a: { b: 1 } })', { a: { b: 1 } }],
    ['an array with a hole and a name', 'const l = [1, , [2]]; l.unit = "ms"; l', undefined],
    ['a Map', 'new Map([["k", { x: 1 }]])', new Map([['k', { x: 1 }]])],
    ['a Set', 'new Set([[1]])', new Set([[1]])],
    ['a Date', 'new Date(5)', new Date(5)],
    ['a RegExp', '/a+/gi', /a+/gi],
    ['a Uint8Array', 'new Uint8Array([1, 2])', Uint8Array.of(1, 2)],
    ['a Float64Array', 'new Float64Array([0.5])', Float64Array.of(0.5)],
    ['a DataView', 'new DataView(new ArrayBuffer(2))', new DataView(new ArrayBuffer(2))],
    ['an ArrayBuffer', 'new ArrayBuffer(3)', new ArrayBuffer(3)],
  ])('%s arrives as one of the receiver', (_what, code, expected) => {
    const foreign = make(code);
    const arrived = send(foreign);
    expect(arrived).toStrictEqual(expected ?? Object.assign(new Array(3), { 0: 1, 2: [2], unit: 'ms' }));
  });

  test('a cycle through arrays of it', () => {
    const foreign = make('const loop = [[]]; loop[0].push(loop); loop');
    const arrived = send(foreign) as unknown[][];
    expect(arrived[0]?.[0]).toBe(arrived);
  });

  test('an error of it keeps its built-in class', () => {
    const arrived = send(make('Object.assign(new TypeError("no"), { code: "E1" })'));
    expect(arrived).toBeInstanceOf(TypeError);
    expect(arrived).toMatchObject({ name: 'TypeError', message: 'no', code: 'E1' });
    const aggregate = send(make('new AggregateError([new RangeError("a")], "all")')) as AggregateError;
    expect(aggregate).toBeInstanceOf(AggregateError);
    expect(aggregate.errors[0]).toBeInstanceOf(RangeError);
  });

  test('its classes are refused like ours', () => {
    expect(refusal(make('new (class Car {})()')).message).toContain('it is an instance of class Car');
    expect(refusal(make('new (class Map2 extends Map {})()')).message).toContain('class Map2');
    expect(refusal(make('() => {}')).message).toContain('it is a function');
  });
});
