import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { VIEW_NAMES } from '../../test/arbitraries/value.ts';
import { post, send } from '../../test/support/post.ts';
import { Capture } from './capture.ts';
import { LARGE_BYTES } from './memory.ts';
import { type Packed, unpack } from './pack.ts';
import { giveAway, transfer } from './transfer.ts';

type View = ArrayBufferView<ArrayBuffer>;
type Memory = ArrayBuffer | View;

interface Place {
  /** `ArrayBuffer`, `Buffer` or a view. */
  readonly kind: string;
  readonly buffer: number;
  readonly start: number;
  readonly length: number;
}

const MAX_BYTES = 48;

const place: fc.Arbitrary<Place> = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...VIEW_NAMES) },
    { weight: 3, arbitrary: fc.constant('Buffer') },
    { weight: 1, arbitrary: fc.constant('ArrayBuffer') },
  ),
  buffer: fc.nat(2),
  start: fc.nat(MAX_BYTES),
  length: fc.nat(MAX_BYTES),
});

/** Values that hold the same memory in the same order, and how to read it from what arrives. */
const WRAPPINGS: ReadonlyArray<
  readonly [wrap: (items: Memory[]) => unknown, read: (value: never) => unknown[]]
> = [
  [(items) => items, (value: unknown[]) => value],
  [(items) => ({ ...items }), (value: object) => Object.values(value)],
  [(items) => new Map(items.entries()), (value: Map<number, unknown>) => [...value.values()]],
  [(items) => new Map(items.map((item) => [item, 0])), (value: Map<unknown, number>) => [...value.keys()]],
  [(items) => new Set(items), (value: Set<unknown>) => [...value]],
  [
    (items) => items.map((item) => ({ __proto__: null, nested: [item] })),
    (value: Array<{ nested: unknown[] }>) => value.flatMap(({ nested }) => nested),
  ],
  [
    (items) => Object.assign(new RangeError('with memory'), { items }),
    (value: { items: unknown[] }) => value.items,
  ],
];

function at(buffers: readonly ArrayBuffer[], { kind, buffer: index, start, length }: Place): Memory {
  const buffer = buffers[index] as ArrayBuffer;
  if (kind === 'ArrayBuffer') return buffer;
  if (kind === 'Buffer') {
    const from = Math.min(start, buffer.byteLength);
    return Buffer.from(buffer, from, Math.min(length, buffer.byteLength - from));
  }
  const View = Reflect.get(globalThis, kind) as Uint8ArrayConstructor;
  const size = View.BYTES_PER_ELEMENT ?? 1;
  const from = Math.floor(Math.min(start, buffer.byteLength) / size) * size;
  return new View(buffer, from, Math.floor(Math.min(length, buffer.byteLength - from) / size));
}

/** Buffer, first byte, byte behind the last. */
function spanOf(memory: Memory): [ArrayBuffer, number, number] {
  if (!ArrayBuffer.isView(memory)) return [memory, 0, memory.byteLength];
  return [memory.buffer, memory.byteOffset, memory.byteOffset + memory.byteLength];
}

function bytesOf(memory: Memory): Uint8Array {
  const [buffer, start, end] = spanOf(memory);
  return new Uint8Array(buffer, start, end - start);
}

/** A list of memory on its way to another thread. */
function sendAll(values: readonly unknown[]): unknown[] {
  const capture = new Capture();
  const value = capture.takeAll(values, 'send');
  return unpack(post({ value, marks: capture.marks }, capture.transfer) as Packed) as unknown[];
}

describe('memory that is seen twice', () => {
  test('arrives as memory that is seen twice', () => {
    const sizes = fc.array(fc.nat(MAX_BYTES), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(
        fc.array(place, { minLength: 1, maxLength: 8 }),
        sizes,
        fc.constantFrom(...WRAPPINGS),
        fc.boolean(),
        (places, lengths, [wrap, read], isResizable) => {
          const buffers = lengths.map((length, index) => {
            const options = isResizable && index === 0 ? { maxByteLength: 2 * MAX_BYTES } : undefined;
            const buffer = new ArrayBuffer(length, options);
            new Uint8Array(buffer).forEach((_, byte, all) => {
              all[byte] = 17 * index + byte;
            });
            return buffer;
          });
          const sent = [...new Set(places.map((one) => at(buffers, one)))];
          const [first, second] = [sent.slice(0, 2), sent.slice(2)];
          // Two arguments, so that the views of one buffer are in both.
          const [head, tail] = sendAll([first, wrap(second)]) as [Memory[], never];
          const arrived = [...head, ...(read(tail) as Memory[])];
          for (const [index, from] of sent.entries()) {
            const to = arrived[index] as Memory;
            expect(Object.getPrototypeOf(to)).toBe(Object.getPrototypeOf(from));
            expect(bytesOf(to)).toEqual(bytesOf(from));
            for (const [other, from2] of sent.entries())
              expectSameSharing(from, from2, to, arrived[other] as Memory);
          }
          for (const buffer of buffers) expect(buffer.detached).toBe(false);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  function expectSameSharing(from: Memory, from2: Memory, to: Memory, to2: Memory): void {
    const [[buffer, start, end], [buffer2, start2, end2]] = [spanOf(from), spanOf(from2)];
    const [[copy, copyStart], [copy2, copyStart2]] = [spanOf(to), spanOf(to2)];
    const arePooled = Buffer.isBuffer(from) || Buffer.isBuffer(from2);
    if (buffer !== buffer2) expect(copy).not.toBe(copy2);
    else if (!arePooled || Math.max(start, start2) < Math.min(end, end2)) {
      expect(copy).toBe(copy2);
      expect(copyStart2 - copyStart).toBe(start2 - start);
    }
  }

  test('is sent once, with the span that is used, at the alignment that it needs', () => {
    const buffer = new ArrayBuffer(1_024);
    const bytes = [new Uint8Array(buffer, 101, 9), new Uint8Array(buffer, 120, 3)];
    const [a, b] = send(bytes) as Uint8Array[];
    expect(a?.buffer).toBe(b?.buffer);
    expect([a?.buffer.byteLength, a?.byteOffset, b?.byteOffset]).toEqual([22, 0, 19]);
    const mixed = [new Uint8Array(buffer, 101, 9), new Float64Array(buffer, 160, 1)];
    const [c, d] = send(mixed) as [Uint8Array, Float64Array];
    expect([c.buffer.byteLength, c.byteOffset, d.byteOffset]).toEqual([72, 5, 64]);
  });

  test('does not send the pool of small Buffers', () => {
    const small = Array.from({ length: 100 }, (_, index) => Buffer.from(`a small text, number ${index}`));
    const capture = new Capture();
    const captured = capture.take(small, 'send', 0) as Uint8Array[];
    for (const [index, { buffer, byteLength }] of captured.entries()) {
      expect(buffer.byteLength).toBe(byteLength);
      expect(byteLength).toBe(small[index]?.byteLength);
    }
  });

  test('is what a Buffer and a slice of it share', () => {
    const whole = Buffer.from('header and body');
    const [arrived, body] = send([whole, whole.subarray(11)]) as [Buffer, Buffer];
    expect([arrived.toString(), body.toString()]).toEqual(['header and body', 'body']);
    body.write('BODY');
    expect(arrived.toString()).toBe('header and BODY');
  });

  test('is counted and moved as what is sent', () => {
    const buffer = new ArrayBuffer(4 * LARGE_BYTES);
    const halves = [new Uint8Array(buffer, 0, 2 * LARGE_BYTES), new Uint8Array(buffer, 2 * LARGE_BYTES)];
    const capture = new Capture();
    const captured = capture.takeAll(halves, 'send') as Uint8Array[];
    expect(capture.transfer).toEqual([captured[0]?.buffer]);
    expect(capture.transfer?.[0]).not.toBe(buffer);
    expect(capture.bytes).toBe(4 * LARGE_BYTES);
  });

  test('is not copied where all of it was given away', () => {
    const buffer = new ArrayBuffer(2 * LARGE_BYTES);
    const halves = [new Uint8Array(buffer, 0, LARGE_BYTES), new Uint8Array(buffer, LARGE_BYTES)];
    giveAway(halves);
    const capture = new Capture();
    const captured = capture.take(halves, 'send', 0) as Uint8Array[];
    expect(captured.map((view) => view.buffer)).toEqual([buffer, buffer]);
    expect(captured[0]?.buffer).toBe(buffer);
    expect(capture.transfer).toEqual([buffer]);
    giveAway(halves);
    const [, kept] = new Capture().takeAll([halves, new Uint8Array(buffer, 8, 8)], 'send') as Uint8Array[];
    expect(kept?.buffer).not.toBe(buffer);
  });

  test('is moved as it is by `transfer()`', () => {
    const buffer = new ArrayBuffer(16);
    const value = transfer({ a: new Uint8Array(buffer, 0, 4), b: Buffer.from(buffer, 2, 4) }, [buffer]);
    const arrived = send(value) as typeof value;
    expect(arrived.a.buffer).toBe(arrived.b.buffer);
    expect([arrived.a.buffer.byteLength, buffer.detached]).toEqual([16, true]);
  });

  test('leaves nothing of a member behind that an error lost', () => {
    const buffer = new ArrayBuffer(4 * LARGE_BYTES);
    const views = [new Uint8Array(buffer), new Uint8Array(buffer, 8)];
    const error = Object.assign(new Error('x'), {
      lost: new Map([[views, () => {}]]),
      kept: new Uint8Array(buffer, 16, 8),
    });
    const capture = new Capture();
    const { data } = capture.take(error, 'send', 0) as { data: { kept: Uint8Array; lost?: unknown } };
    expect(data.kept.buffer.byteLength).toBe(8);
    expect(capture.bytes).toBeLessThan(1_000);
    expect(capture.transfer ?? []).toEqual([]);
  });
});
