import { createContext, runInContext, runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { post } from '../../test/support/post.ts';
import { ServeError } from '../errors.ts';
import { Capture } from './capture.ts';
import { moveNow, transfer } from './transfer.ts';

function capture(value: unknown): { readonly value: unknown; readonly transfer: ArrayBuffer[] | undefined } {
  const taken = new Capture();
  return { value: taken.take(value, 'predict', 0), transfer: taken.transfer };
}

test('answers the value itself, and moves its buffers when it is sent', () => {
  const pixels = Uint8Array.of(1, 2, 3, 4);
  const value = { pixels };
  expect(transfer(value, [pixels.buffer])).toBe(value);
  const captured = capture(value);
  expect(captured.transfer).toEqual([pixels.buffer]);
  expect(post(captured.value, captured.transfer)).toEqual({ pixels: Uint8Array.of(1, 2, 3, 4) });
  expect(pixels.byteLength).toBe(0);
});

test('moves a buffer inside a value, and every view of it', () => {
  const buffer = new ArrayBuffer(8);
  const [low, high] = [new Uint8Array(buffer, 0, 4), new Uint8Array(buffer, 4, 4)];
  const captured = capture([transfer({ low, high }, [buffer]), { buffer }]);
  const arrived = post(captured.value, captured.transfer) as [{ low: Uint8Array; high: Uint8Array }, unknown];
  expect(arrived[0].low.buffer).toBe(arrived[0].high.buffer);
  expect(arrived[1]).toEqual({ buffer: arrived[0].low.buffer });
  expect(buffer.detached).toBe(true);
});

test('a buffer that is listed twice, or in two values of one call, is moved once', () => {
  const bytes = new Uint8Array(4);
  const captured = capture([
    transfer({ bytes }, [bytes.buffer, bytes.buffer]),
    transfer([bytes], [bytes.buffer]),
  ]);
  expect(captured.transfer).toEqual([bytes.buffer]);
  expect(post(captured.value, captured.transfer)).toEqual([
    { bytes: new Uint8Array(4) },
    [new Uint8Array(4)],
  ]);
});

test('the mark is used up: the next call with the same value copies', () => {
  const bytes = transfer(new Uint8Array(4), [new ArrayBuffer(1)]);
  expect(capture(bytes).transfer).toHaveLength(1);
  expect(capture(bytes).transfer).toBeUndefined();
});

test('moved bytes count as in flight', () => {
  const bytes = new Uint8Array(100_000);
  const taken = new Capture();
  taken.take(transfer(bytes, [bytes.buffer]), 'predict', 0);
  expect(taken.bytes).toBe(100_000);
});

test('takes a buffer of another realm', () => {
  const foreign = runInContext('new Uint8Array(3)', createContext({})) as Uint8Array<ArrayBuffer>;
  const captured = capture(transfer(foreign, [foreign.buffer]));
  expect(captured.transfer).toEqual([foreign.buffer]);
});

describe('refuses', () => {
  test.each([
    ['a value that is no object', 7, [], 'transfer(value): got 7; allowed: an object'],
    ['a buffer without a list', {}, new ArrayBuffer(1), 'an array of ArrayBuffers'],
    ['a view', {}, [new Uint8Array(1)], 'ArrayBuffer (a SharedArrayBuffer is shared anyway)'],
    ['shared memory', {}, [new SharedArrayBuffer(1)], 'ArrayBuffer (a SharedArrayBuffer is shared anyway)'],
  ])('%s', (_what, value, buffers, message) => {
    const call = (): unknown => Reflect.apply(transfer, undefined, [value, buffers]);
    expect(call).toThrow(ServeError);
    expect(call).toThrow(message);
  });

  test('a buffer that is gone already, when it is marked and when it is sent', () => {
    const bytes = new Uint8Array(4);
    const marked = transfer({ bytes }, [bytes.buffer]);
    bytes.buffer.transfer();
    expect(() => transfer(bytes, [bytes.buffer])).toThrow('a buffer that is not detached');
    expect(() => capture({ marked })).toThrow(
      'predict(arg 0).marked cannot cross a thread: its memory was moved',
    );
  });
});

test('two copies of the package in one thread agree on what is moved', async () => {
  const copy: typeof import('./transfer.ts') = await import('./transfer.ts?copy' as string);
  expect(copy.transfer).not.toBe(transfer);
  const pixels = Uint8Array.of(1);
  expect(capture(copy.transfer({ pixels }, [pixels.buffer])).transfer).toEqual([pixels.buffer]);
  const given = { pixels: new Float64Array(65_536) };
  copy.giveAway(given);
  // Itself, and with the mark used up a copy.
  expect(capture(given).transfer?.[0]).toBe(given.pixels.buffer);
  expect(capture(given).transfer?.[0]).not.toBe(given.pixels.buffer);
});

describe('memory that is moved now', () => {
  const shapes: readonly (readonly [string, (buffer: ArrayBuffer) => unknown])[] = [
    ['the buffer', (buffer) => buffer],
    ['a view', (buffer) => new Float32Array(buffer, 4, 2)],
    [
      'views, the buffer and primitives',
      (buffer) => {
        const view = new Uint16Array(buffer, 2, 3);
        return ['a', view, 1n, buffer, view, new BigInt64Array(buffer), null, undefined];
      },
    ],
    ['other memory beside it', (buffer) => [Uint8Array.of(7), new Int8Array(buffer), new ArrayBuffer(3)]],
    ['a sparse array', (buffer) => Object.assign([], { 1: buffer, 3: 1 })],
    ['a view in an object', (buffer) => [{ view: new Uint8Array(buffer, 1) }]],
    ['a DataView', (buffer) => new DataView(buffer, 3)],
    [
      'a view of another realm',
      (buffer) => runInContext('(buffer) => new Uint8Array(buffer, 5)', createContext({}))(buffer),
    ],
  ];

  test.each(shapes)('arrives as a structured clone does: %s', (_what, make) => {
    const [ours, theirs] = [0, 1].map(() => Uint8Array.from({ length: 16 }, (_, index) => index).buffer);
    const [value, expected] = [make(ours as ArrayBuffer), make(theirs as ArrayBuffer)];
    const transfer = [ours as ArrayBuffer];
    const moved = moveNow({ value, marks: undefined, transfer, bytes: 16 }, 'predict');
    expect(moved.value).toEqual(structuredClone(expected, { transfer: [theirs as ArrayBuffer] }));
    expect(ours?.detached).toBe(true);
    expect(moved.transfer?.map(({ byteLength }) => byteLength)).toEqual([16]);
    expect(moved.bytes).toBe(16);
  });

  test('stays identical where it was', () => {
    const buffer = new ArrayBuffer(8);
    const view = new Uint8Array(buffer);
    const value = [view, view, new Uint16Array(buffer), buffer];
    const moved = moveNow({ value, marks: undefined, transfer: [buffer], bytes: 8 }, 'predict').value as [
      Uint8Array,
      Uint8Array,
      Uint16Array,
      ArrayBuffer,
    ];
    expect(moved[0]).toBe(moved[1]);
    expect([moved[0].buffer, moved[2].buffer]).toEqual([moved[3], moved[3]]);
    expect(moved[0].buffer).toBe(moved[3]);
  });

  test('that cannot be moved is refused', () => {
    const buffer = runInNewContext('new WebAssembly.Memory({ initial: 1 }).buffer') as ArrayBuffer;
    const value = new Uint8Array(buffer);
    expect(() => moveNow({ value, marks: undefined, transfer: [buffer], bytes: 1 }, 'predict')).toThrow(
      expect.objectContaining({
        code: 'SERVE_NOT_SERIALIZABLE',
        message: expect.stringContaining('predict: '),
      }),
    );
  });
});
