import { describe, expect, test } from 'vitest';
import { bytes } from './bytes.ts';
import {
  boolean,
  either,
  type Field,
  fn,
  integer,
  listOf,
  MAX_COUNT,
  milliseconds,
  number,
  object,
  oneOf,
  parseOptions,
  recordOf,
  string,
} from './fields.ts';

function refusal(action: () => unknown): object {
  try {
    action();
  } catch (error) {
    return error as object;
  }
  return expect.fail('was accepted');
}

describe('fields', () => {
  test.each<[string, Field<unknown>, unknown[], unknown[]]>([
    ['integer', integer(1, 5), [1, 5], [0, 6, 1.5, NaN, Infinity, '1', null, 1n, [1], 2 ** 53]],
    ['number', number(0, 1), [0, 0.5, 1], [-0.1, 1.1, NaN, Infinity, '0', true]],
    ['milliseconds', milliseconds(10), [10, 0.5 + 10, 2_147_483_647], [9, 2_147_483_648, Infinity]],
    ['a count', integer(1), [1, 2_147_483_647], [2_147_483_648, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1]],
    ['an amount', number(0), [0.5, 2_147_483_647], [2_147_483_648, 1e300]],
    ['bytes', bytes(), [0, 10, 2 ** 53 - 1], ['-1', '1tb', 0.5, -1, '99999999999999999gb']],
    ['few bytes', bytes(MAX_COUNT), [0, 2 ** 31 - 1], ['2gb', '4gb', 2 ** 32]],
    ['boolean', boolean(), [true, false], [0, 'true', null]],
    ['string', string(), ['a', ' '], ['', 1, null]],
    ['pattern', string('lower case', /^[a-z]+$/), ['abc'], ['', 'A', 'a b']],
    ['oneOf', oneOf<string | number>('a', 2), ['a', 2], ['b', '2', null]],
    ['fn', fn(), [() => {}, class {}], [{}, 'call', null]],
    ['either', either(boolean(), integer(1)), [false, 3], [0, 'x', null]],
    ['listOf', listOf(integer(0)), [[], [1, 2]], [[-1], [1, 'x'], {}, 'ab', { length: 0 }]],
    ['recordOf', recordOf(integer(0)), [{}, { a: 1 }], [{ a: -1 }, [], new Map(), null]],
    ['object', object<{ a?: number }>({ a: integer(0) }), [{}, { a: 1 }], [{ b: 1 }, { a: 'x' }, null, []]],
  ])('%s', (_name, field, good, bad) => {
    for (const value of good) expect(field.parse(value, 'x')).toEqual(value);
    for (const value of bad) {
      expect(refusal(() => field.parse(value, 'x'))).toMatchObject({
        code: 'SERVE_INVALID_OPTION',
        message: expect.stringContaining('x'),
      });
    }
  });
});

describe('options', () => {
  const FIELDS = { size: integer(1), nested: object<{ deep?: string[] }>({ deep: listOf(string()) }) };
  const parse = (value: unknown): unknown => parseOptions(value, FIELDS, 'thing');

  test('answers what was given, in a new object', () => {
    const given = { size: 3, nested: { deep: ['a'] } };
    const parsed = parse(given);
    expect(parsed).toEqual(given);
    expect(parsed).not.toBe(given);
  });

  test('undefined is not given', () => {
    expect(parse({ size: undefined })).toEqual({});
  });

  test('an unknown name is answered with the one that was meant', () => {
    expect(refusal(() => parse({ Size: 3 }))).toMatchObject({
      message: 'thing.Size: got 3; allowed: no such option (did you mean size?); there are size, nested',
    });
    expect(refusal(() => parse({ weight: 3 }))).toMatchObject({
      message: 'thing.weight: got 3; allowed: no such option; there are size, nested',
    });
  });

  test.each<[unknown, string]>([
    [undefined, 'thing'],
    [new (class Options {})(), 'thing'],
    [{ sise: 3 }, 'thing.sise'],
    [{ size: 0 }, 'thing.size'],
    [{ nested: { deep: ['a', ''] } }, 'thing.nested.deep[1]'],
    [{ nested: { deeper: [] } }, 'thing.nested.deeper'],
    [JSON.parse('{"__proto__": {"size": 1}}'), 'thing.__proto__'],
    [{ constructor: 1 }, 'thing.constructor'],
  ])('%o is refused, naming %s', (value, option) => {
    expect(refusal(() => parse(value))).toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining(`${option}:`),
    });
  });
});
