import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { valueGraph } from '../../test/arbitraries/value.ts';
import { encode } from '../../test/support/wire/codec.ts';
import { linkPair } from '../../test/support/wire/pair.ts';
import { Capture } from '../values/capture.ts';
import type { Marks } from '../values/marks.ts';
import { revive } from '../values/revive.ts';
import { Codec } from './codec.ts';
import { messageHead } from './message.ts';
import { EXTENSION, EXTENSION_BYTES } from './values/extension.ts';
import { FaultCounts, WireError } from './wire-error.ts';

const SEED = 20_261_129;
const codec = new Codec();

/** Decodes bytes that may be anything. @returns the slots; undefined if they were refused as they should be */
function decodeAny(bytes: Uint8Array): unknown[] | undefined {
  try {
    return codec.decode(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(WireError);
    return undefined;
  }
}

function reviveAny(value: unknown, marks: Marks): void {
  try {
    revive(value, marks);
  } catch (error) {
    // A handle in a thread without a router, or a request whose URL is none.
    expect(error).toBeInstanceOf(TypeError);
  }
}

const message: fc.Arbitrary<Uint8Array> = valueGraph.map((recipe) => {
  const capture = new Capture();
  try {
    return encode(capture.take(recipe.make(), 'send', 0), capture.marks).bytes;
  } catch {
    // Shared memory.
    return encode([new Map([['key', [1n, undefined]]])]).bytes;
  }
});

describe('bytes of a peer', () => {
  test('that are cut at any place are refused', () => {
    fc.assert(
      fc.property(message, (bytes) => {
        for (let end = 0; end < bytes.length; end++)
          expect(decodeAny(bytes.subarray(0, end))).toBe(undefined);
        expect(decodeAny(bytes)).toBeDefined();
        expect(decodeAny(Buffer.concat([bytes, Buffer.of(1)]))).toBe(undefined);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  test('that are changed are a value or refused, and a value can be revived or is refused', () => {
    fc.assert(
      fc.property(
        message,
        fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.nat()), { minLength: 20 }),
        (bytes, changes) => {
          for (const [at, byte, second] of changes) {
            const changed = bytes.slice();
            changed[at % bytes.length] = byte;
            if (second % 2 === 0) changed[second % bytes.length] = byte ^ 255;
            const [value, marks] = decodeAny(changed) ?? [];
            if (Array.isArray(marks)) reviveAny(value, marks);
          }
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });

  test('that are random are refused or small', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeAny(bytes);
        decodeAny(Buffer.concat([Buffer.of(0x92), bytes]));
      }),
      { seed: SEED, numRuns: 5_000 },
    );
  });
});

describe('what claims more than there is', () => {
  const long = (head: number, count: number): number[] => [
    head,
    ...Buffer.from(Uint32Array.of(count).buffer).reverse(),
  ];

  test.each<[string, number[], string]>([
    ['an array of 4 G items', long(0xdd, 0xff_ff_ff_ff), 'malformed'],
    ['a map of 4 G entries', long(0xdf, 0xff_ff_ff_ff), 'malformed'],
    ['a text of 4 GB', long(0xdb, 0xff_ff_ff_ff), 'malformed'],
    ['an extension of 4 GB', [...long(0xc9, 0xff_ff_ff_ff), EXTENSION.memory], 'malformed'],
    [
      'arrays in arrays of a million items',
      Array.from({ length: 999 }, () => long(0xdd, 1_000_000)).flat(),
      'malformed',
    ],
    ['1,000 levels too many', Array.from({ length: 2_000 }, () => 0x91), 'depth'],
    ['a million levels', Array.from({ length: 1_000_000 }, () => 0x91), 'depth'],
    ['a million levels of maps', Array.from({ length: 300_000 }, () => [0x81, 0xa1, 0x61]).flat(), 'depth'],
    ['an extension that does not exist', [0x91, 0xd4, 99, 0], 'extension'],
    ['a timestamp, which the library knows', [0x91, 0xd6, 0xff, 0, 0, 0, 0], 'extension'],
    ['a binary, which has no number', [0x91, 0xc4, 1, 0], 'malformed'],
    ['a byte that starts nothing', [0x91, 0xc1], 'malformed'],
    ['a key that is a number', [0x91, 0x81, 1, 2], 'malformed'],
    ['a key that is an array', [0x91, 0x81, 0x91, 1, 2], 'malformed'],
    ['a key that is an extension', [0x91, 0x81, 0xd4, EXTENSION.undefined, 0, 2], 'malformed'],
    ['the key __proto__', [0x91, 0x81, 0xa9, ...Buffer.from('__proto__'), 0x80], 'malformed'],
    ['no array', [0x80], 'malformed'],
    ['nothing', [], 'malformed'],
  ])('security row 18: is refused before anything is built: %s', (_what, bytes, fault) => {
    const before = process.memoryUsage();
    expect(() => codec.decode(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ fault }));
    const after = process.memoryUsage();
    expect(after.heapUsed + after.external - before.heapUsed - before.external).toBeLessThan(30_000_000);
  });

  test('every type has its bounds', () => {
    expect(EXTENSION_BYTES.length).toBe(Object.keys(EXTENSION).length);
    for (const [type, [min, max]] of EXTENSION_BYTES.entries()) {
      for (const size of [min - 1, max + 1]) {
        if (size < 0 || size === Infinity) continue;
        const bytes = Buffer.concat([Buffer.of(0x91, 0xc8, size >> 8, size & 255, type), Buffer.alloc(size)]);
        expect(() => codec.decode(bytes)).toThrow(expect.objectContaining({ fault: 'malformed' }));
      }
    }
  });
});

describe('extensions that mean nothing', () => {
  const extension = (type: number, ...data: number[]): number[] => [0xc7, data.length, type, ...data];
  const HEAD = (kind: number, mark = 0, ...number: number[]) =>
    extension(EXTENSION.container, kind, mark, ...number);

  test.each<[string, number[]]>([
    ['a hole outside of an array', [0x91, ...extension(EXTENSION.hole)]],
    ['a hole in a plain array', [0x91, 0x92, 1, ...extension(EXTENSION.hole)]],
    ['the head of a container alone', [0x91, ...HEAD(0)]],
    ['the head of a container as the second item', [0x91, 0x92, 1, ...HEAD(0)]],
    ['a kind of container that does not exist', [0x91, 0x91, ...HEAD(9)]],
    ['a mark that does not exist', [0x91, 0x91, ...HEAD(0, 9)]],
    ['the mark of a buffer on an object', [0x91, 0x91, ...HEAD(0, 1)]],
    ['an error without members', [0x91, 0x91, ...HEAD(0, 2)]],
    ['a request without members', [0x91, 0x91, ...HEAD(0, 4)]],
    ['an object with a key and no value', [0x91, 0x92, ...HEAD(0), 0xa1, 0x61]],
    ['an object with a number as the key', [0x91, 0x93, ...HEAD(0), 1, 2]],
    ['an array without its length', [0x91, 0x91, ...HEAD(1)]],
    ['an array that is longer than its items', [0x91, 0x92, ...HEAD(1), 5]],
    ['an array with its length as a name', [0x91, 0x94, ...HEAD(1), 0, 0xa6, ...Buffer.from('length'), 5]],
    ['an array with an index as a name', [0x91, 0x94, ...HEAD(1), 0, 0xaa, ...Buffer.from('4000000000'), 5]],
    ['a map with a key and no value', [0x91, 0x92, ...HEAD(2), 1]],
    ['a leaf without a value', [0x91, 0x91, ...HEAD(4)]],
    ['the same as nothing', [0x91, ...extension(EXTENSION.same, 0, 0, 0, 7)]],
    ['one number twice', [0x92, 0x91, ...HEAD(3, 0, 0, 0, 0, 1), 0x91, ...HEAD(3, 0, 0, 0, 0, 1)]],
    ['a buffer that is nowhere', [0x91, ...extension(EXTENSION.memory, 9, 0, 0, 0, 0)]],
    ['a buffer that is not known', [0x91, ...extension(EXTENSION.memory, 2, 0, 0, 0, 0)]],
    ['a large binary that is missing', [0x91, ...extension(EXTENSION.memory, 1, 0, 0, 0, 0, 0, 0, 0, 0)]],
    [
      'a view beyond its buffer',
      [0x91, ...extension(EXTENSION.view, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0)],
    ],
    [
      'a view that is not aligned',
      [0x91, ...extension(EXTENSION.view, 9, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)],
    ],
    ['a view of no kind', [0x91, ...extension(EXTENSION.view, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]],
    ['a Buffer of floats', [0x91, ...extension(EXTENSION.view, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)]],
    ['half a character', [0x91, ...extension(EXTENSION.text, 1)]],
    ['a bigint without a sign', [0x91, ...extension(EXTENSION.bigint, 7, 0, 0, 0, 0, 0, 0, 0, 1)]],
  ])('security row 18: are refused: %s', (_what, bytes) => {
    expect(() => codec.decode(Uint8Array.from(bytes))).toThrow(WireError);
  });
});

test('a link gets any bytes: it goes on, or is closed and says why', async () => {
  await fc.assert(
    fc.asyncProperty(message, fc.nat(), fc.nat(255), async (head, at, byte) => {
      const counts = new FaultCounts();
      using pair = linkPair({}, { counts });
      const changed = head.slice();
      changed[at % head.length] = byte;
      const bytes = messageHead(changed);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      pair.streams[0].write(Buffer.concat([length, bytes]));
      pair.streams[0].end();
      const error = await pair.inboxB.ended;
      const total = ['malformed', 'depth', 'limit', 'extension', 'frame'].reduce(
        (sum, fault) => sum + counts.of(fault as 'frame'),
        0,
      );
      expect(total).toBe(error instanceof WireError ? 1 : 0);
    }),
    { seed: SEED, numRuns: 500 },
  );
});
