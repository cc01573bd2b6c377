import { expect, test, vi } from 'vitest';
import { collected } from '../../../test/support/garbage.ts';
import { now } from '../../time/clock.ts';
import {
  KEEP_MS,
  MOST_BYTES,
  MOST_KEPT,
  ResultCache,
  rawResult,
  type SharedResult,
  shareResult,
} from './result-cache.ts';

function result(value: unknown): SharedResult {
  const shared = shareResult(value, false, true);
  if (shared === undefined) throw new Error('cannot be shared');
  return shared;
}

test('a result is kept for a minute, and its key is free then', () => {
  const kept = new ResultCache();
  kept.keep('a', { fingerprint: 'f', result: result(1) }, 0);
  expect(kept.get('a', KEEP_MS - 1)?.result.copy()).toBe(1);
  expect(kept.get('a', KEEP_MS)).toBeUndefined();
  expect(kept.size).toBe(0);
});

test('a result goes when its minute is over, though nobody asks for it', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  try {
    const kept = new ResultCache();
    kept.keep('a', { fingerprint: 'f', result: result(1) }, now());
    vi.advanceTimersByTime(KEEP_MS / 2);
    kept.keep('b', { fingerprint: 'f', result: result(2) }, now());
    // The clock counts in fractions, timers in whole milliseconds.
    vi.advanceTimersByTime(KEEP_MS / 2 + 2);
    expect(kept.size).toBe(1);
    vi.advanceTimersByTime(KEEP_MS / 2 + 2);
    expect([kept.size, vi.getTimerCount()]).toEqual([0, 0]);
    kept.keep('c', { fingerprint: 'f', result: result(3) }, now());
    vi.advanceTimersByTime(KEEP_MS + 2);
    expect(kept.size).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test('a result is kept without the object of the caller who got it first', async () => {
  let value: object | undefined = { large: new Uint8Array(1_000) };
  const shared = result(value);
  const ref = new WeakRef(value);
  value = undefined;
  await collected(ref);
  expect(shared.copy()).toEqual({ large: new Uint8Array(1_000) });
});

test('the oldest go first when there are too many, or they are too large', () => {
  const many = new ResultCache();
  for (let n = 0; n <= MOST_KEPT; n++) many.keep(`k${n}`, { fingerprint: '', result: result(n) }, n);
  expect([many.size, many.get('k0', 1), many.get('k1', 1)?.result.copy()]).toEqual([MOST_KEPT, undefined, 1]);

  const large = new ResultCache();
  const megabytes = (n: number) => ({ fingerprint: '', result: result(new Uint8Array(n * 1_048_576)) });
  for (let n = 0; n < 20; n++) large.keep(`k${n}`, megabytes(1), 0);
  expect(large.size).toBe(15);
  large.keep('huge', megabytes(17), 0);
  expect([large.size, large.get('huge', 0)]).toEqual([15, undefined]);
  expect(MOST_BYTES).toBe(16 * 1_048_576);
});

test('each caller gets a copy, as over a thread, also of buffers, maps and cycles', () => {
  const value = { bytes: new Uint8Array([1, 2]), map: new Map([['a', new Date(5)]]), self: {} as unknown };
  value.self = value;
  const shared = result(value);
  value.bytes[0] = 9;
  const [one, two] = [shared.copy(), shared.copy()] as [typeof value, typeof value];
  one.bytes[1] = 7;
  one.map.clear();
  expect(two).toMatchObject({ bytes: new Uint8Array([1, 2]), map: new Map([['a', new Date(5)]]) });
  expect(two.self).toBe(two);
});

test('a result that is too large for the cache is copied only for calls that wait', () => {
  const value = { bytes: new Uint8Array(MOST_BYTES + 1) };
  expect(shareResult(value, false, false)).toBeUndefined();
  value.bytes.fill(7);
  const copy = shareResult(value, false, true)?.copy() as typeof value | undefined;
  expect(copy && Buffer.compare(copy.bytes, value.bytes)).toBe(0);
  expect(shareResult({ bytes: new Uint8Array(1_000) }, false, false)).toBeDefined();
});

test('large memory is copied once to be kept, and not at all where it is only passed on', () => {
  const copies = vi.spyOn(Buffer, 'allocUnsafeSlow');
  const clone = vi.spyOn(globalThis, 'structuredClone');
  try {
    const value = { bytes: new Uint8Array(1_048_576).fill(7) };
    const shared = result(value);
    expect(copies).toHaveBeenCalledTimes(1);
    expect(clone.mock.calls.map(([, options]) => options?.transfer?.length)).toEqual([1]);
    expect(shared.copy()).toEqual(value);

    copies.mockClear();
    clone.mockClear();
    const raw = rawResult({ value, marks: undefined });
    expect(raw?.bytes).toBeGreaterThan(1_048_576);
    expect(raw?.packed.value).toBe(value);
    expect(copies).not.toHaveBeenCalled();
    expect(clone).not.toHaveBeenCalled();
  } finally {
    vi.restoreAllMocks();
  }
});
