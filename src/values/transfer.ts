import { types } from 'node:util';
import { invalidOption, ServeError } from '../errors.ts';
import { messageOf } from './describe-value.ts';
import type { Marks } from './marks.ts';

/** Memory that `transfer()` can move. */
export type Transferable = ArrayBuffer;

/** Stands for all memory in the value. */
export const ALL = 'all';
type Mark = readonly Transferable[] | typeof ALL;

const KEY = Symbol.for('inserve.transfers');
const marked = marks();

/**
 * The marks live on `globalThis`, so that two copies of the package in one thread share them: in a replica the driver of a
 * graph is loaded beside the bundle that sends its values.
 */
function marks(): WeakMap<object, Mark> {
  const known: unknown = Reflect.get(globalThis, KEY);
  if (known instanceof WeakMap) return known;
  const made = new WeakMap<object, Mark>();
  Object.defineProperty(globalThis, KEY, { value: made });
  return made;
}

/**
 * Marks buffers inside `value` to be moved to the receiving thread instead of copied. Returns `value` itself, for use as
 * an argument or a result: `handle.predict.remote(transfer(pixels, [pixels.buffer]))`. Moving costs the same for
 * any size; afterwards the buffers are detached (length 0) here.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` if a listed buffer is no `ArrayBuffer`, or is already detached.
 */
export function transfer<T extends object>(value: T, buffers: readonly Transferable[]): T {
  if (typeof value !== 'object' || value === null) throw invalidOption('transfer(value)', value, 'an object');
  if (!Array.isArray(buffers))
    throw invalidOption('transfer(…, buffers)', buffers, 'an array of ArrayBuffers');
  for (const buffer of buffers) {
    if (!types.isArrayBuffer(buffer)) {
      throw invalidOption(
        'transfer(…, buffers)',
        buffer,
        'ArrayBuffer (a SharedArrayBuffer is shared anyway)',
      );
    }
    if (buffer.detached) throw invalidOption('transfer(…, buffers)', buffer, 'a buffer that is not detached');
  }
  marked.set(value, buffers);
  return value;
}

/**
 * Gives a value away as a whole: its large buffers are moved with the next message that holds it, without a copy. Use it only
 * for values that are not read again: unlike with `transfer()` the memory stays readable until the message is posted.
 */
export function giveAway(value: object): void {
  if (!marked.has(value)) marked.set(value, ALL);
}

/** Gives a value the mark of the value that it replaces. */
export function markAs(value: object, mark: Mark): void {
  marked.set(value, mark);
}

/** Takes the mark of a value: the buffers to move with it. */
export function takeTransfer(value: object): Mark | undefined {
  const buffers = marked.get(value);
  if (buffers !== undefined) marked.delete(value);
  return buffers;
}

/** A captured value with its marks, the memory to move and its approximate size in bytes. */
export interface EncodedValue {
  value: unknown;
  marks: Marks | undefined;
  transfer: Transferable[] | undefined;
  bytes: number;
}

/**
 * Moves memory away from its owner now. Messages are posted later, or wait until a replica has room; a buffer that its owner
 * could write until then would arrive with other contents.
 *
 * @throws ServeError `SERVE_NOT_SERIALIZABLE` for memory that cannot be moved, such as WebAssembly's
 */
export function moveNow({ value, marks, transfer = [], bytes }: EncodedValue, method: string): EncodedValue {
  try {
    return { ...structuredClone({ value, marks, transfer }, { transfer }), bytes };
  } catch (cause) {
    throw new ServeError('SERVE_NOT_SERIALIZABLE', `${method}: ${messageOf(cause)}`, { cause });
  }
}
