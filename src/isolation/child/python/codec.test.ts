import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromTagged, type Vector } from '../../../../test/fixtures/python/tagged.ts';
import { BadMessageError, type Message, MessageReader, parseBody, toMessage } from './message.ts';
import { decodeValue } from './values/decode.ts';
import { ValueEncoder } from './values/encode.ts';

const VECTORS = JSON.parse(readFileSync('test/fixtures/python/vectors.json', 'utf8')) as Vector[];

function encode(value: unknown): Buffer {
  const encoder = new ValueEncoder();
  const { text, marks } = encoder.encode(value, 'value');
  const frame = marks === '' ? `[3,1,${text}]` : `[3,1,${text},${marks}]`;
  return Buffer.concat(toMessage([frame], encoder.attachments));
}

function messagesIn(...chunks: Uint8Array[]): Message[] {
  const messages: Message[] = [];
  const reader = new MessageReader();
  for (const chunk of chunks) reader.push(chunk, (message) => messages.push(message));
  expect(reader.isWithinMessage).toBe(false);
  return messages;
}

function firstValue({ frames: [frame], attachments }: Message): unknown {
  return decodeValue(frame?.[2], frame?.[3], attachments);
}

function decode(message: Uint8Array): unknown {
  const [first] = messagesIn(message);
  return firstValue(first as Message);
}

describe('the vectors that Python reads as well', () => {
  test.each(VECTORS)('$name: the message gives the value', ({ message, value }) => {
    expect(decode(Buffer.from(message, 'hex'))).toEqual(fromTagged(value));
  });

  test.each(VECTORS.filter(({ encodedBy }) => encodedBy.includes('javascript')))(
    '$name: the value gives the message',
    ({ message, value }) => {
      expect(encode(fromTagged(value)).toString('hex')).toBe(message);
    },
  );
});

describe('values', () => {
  test('of plain data, numbers and bytes come back as they are', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.bigInt(),
      fc.date({
        noInvalidDate: true,
        min: new Date('0001-01-01T00:00:00Z'),
        max: new Date('9999-12-31T23:59:59.999Z'),
      }),
      fc.uint8Array(),
      fc.float32Array({ minLength: 1 }),
      fc.array(fc.double(), { minLength: 16, maxLength: 40 }),
      fc.array(fc.maxSafeInteger(), { minLength: 16, maxLength: 40 }),
      fc.string({ minLength: 1_024, maxLength: 1_100 }),
      fc.set(fc.integer()).map((items) => new Set(items)),
    );
    const value = fc.letrec((tie) => ({
      value: fc.oneof({ weight: 3, arbitrary: leaf }, tie('list'), tie('object')),
      list: fc.array(tie('value'), { maxLength: 4 }),
      object: fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), {
        maxKeys: 4,
        noNullPrototype: true,
      }),
    })).value;
    fc.assert(
      fc.property(value, (given) => {
        expect(normal(decode(encode(given)))).toEqual(normal(given));
      }),
      { numRuns: 500, seed: 16 },
    );
  });

  test('are not changed when something in them is replaced', () => {
    const given = { a: [new Uint8Array([1]), { b: Number.NaN }], c: new Set([1n]) };
    const before = structuredClone(given);
    encode(given);
    expect(given).toEqual(before);
  });

  test('that share an object are copied', () => {
    const row = [1, 2];
    expect(decode(encode([row, row]))).toEqual([row, row]);
  });

  const DEEP = JSON.parse(`${'['.repeat(600)}1${']'.repeat(600)}`) as unknown;
  test.each([
    ['a function', { a: [() => 1] }, 'predict(arg 0).a[0] cannot cross to Python: it is a function'],
    ['an instance', { a: new URL('http://a') }, '.a cannot cross to Python: it is an instance of class URL'],
    ['an invalid date', [new Date(Number.NaN)], '[0] cannot cross to Python: it is an invalid Date'],
    ['a map with objects as keys', new Map([[{}, 1]]), 'a key that is neither a string nor a number'],
    ['shared memory', new SharedArrayBuffer(8), 'another process cannot share'],
    ['deep nesting', DEEP, 'more than 500 levels'],
    ['a tensor that does not fit', { dtype: 'int8', shape: [3], data: new Int8Array(2) }, 'does not fit'],
  ])('refuses %s with its path', (_name, value, message) => {
    const encoder = new ValueEncoder();
    expect(() => encoder.encode(value, 'predict(arg 0)')).toThrow(message);
    expect(encoder.attachments).toEqual([]);
  });

  test('of errors keep their name, cause and data', () => {
    const error = Object.assign(new RangeError('too far', { cause: new Error('inner') }), {
      statusCode: 422,
    });
    const restored = decode(encode(error)) as RangeError & { statusCode: number };
    expect(restored).toBeInstanceOf(RangeError);
    expect([restored.message, restored.statusCode, (restored.cause as Error).message]).toEqual([
      'too far',
      422,
      'inner',
    ]);
  });
});

/** Dates compare by time. */
function normal(value: unknown): unknown {
  if (value instanceof Date) return value.getTime();
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, normal(item)]));
  return value;
}

describe('messages', () => {
  test('may come in any pieces', () => {
    for (const { message } of VECTORS) {
      const bytes = Buffer.from(message, 'hex');
      if (bytes.length > 300) continue;
      for (let cut = 0; cut <= bytes.length; cut++)
        expect(messagesIn(bytes.subarray(0, cut), bytes.subarray(cut))).toHaveLength(1);
    }
  });

  test('several may share a chunk', () => {
    const both = Buffer.concat([encode('a'), encode(new Uint8Array(3)), encode({ b: 1 })]);
    expect(messagesIn(both).map(firstValue)).toEqual(['a', new Uint8Array(3), { b: 1 }]);
  });

  test('that are damaged are refused', () => {
    const vectors = fc.constantFrom(...VECTORS.map(({ message }) => message));
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(vectors, damage, (message, changes) => {
        const bytes = Buffer.from(message, 'hex');
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        try {
          const body = new Uint8Array(bytes.subarray(8));
          firstValue(parseBody(body, Math.min(bytes.readUInt32LE(0), body.length)));
        } catch (error) {
          expect(error).toBeInstanceOf(BadMessageError);
        }
      }),
      { numRuns: 5_000, seed: 16 },
    );
  });

  test.each([
    ['a length that is no multiple of 8', [9, 0]],
    ['no header', [0, 8]],
    ['more than the limit', [8, 268_435_456]],
  ])('with %s are refused before memory is allocated', (_name, [header = 0, attachments = 0]) => {
    const prefix = Buffer.alloc(8);
    prefix.writeUInt32LE(header, 0);
    prefix.writeUInt32LE(attachments, 4);
    expect(() => messagesIn(prefix)).toThrow(BadMessageError);
  });
});
