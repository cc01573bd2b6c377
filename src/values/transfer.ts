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
 * @throws ServeError `SERVE_INVALID_OPTION` if a listed buffer is not an `ArrayBuffer`, or is already detached.
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

/** The companions of a captured value: its marks, the memory to move and its approximate size in bytes. A `Capture` is one. */
export interface EncodedValue {
  readonly marks: Marks | undefined;
  readonly transfer: Transferable[] | undefined;
  readonly bytes: number;
}

/** A value that needs no marks and moves no memory. */
export const NO_ENCODING: EncodedValue = { marks: undefined, transfer: undefined, bytes: 0 };

/** The same together with the value. */
export interface CapturedValue extends EncodedValue {
  readonly value: unknown;
}

/**
 * Moves memory away from its owner now. Messages are posted later, or wait until a replica has room; a buffer that its owner
 * could write until then would arrive with other contents.
 *
 * @throws ServeError `SERVE_NOT_SERIALIZABLE` for memory that cannot be moved, such as WebAssembly's
 */
export function moveNow(
  { value, marks, transfer = [], bytes }: CapturedValue,
  method: string,
): CapturedValue {
  try {
    if (marks === undefined) {
      const moved = moveWhole(value, transfer);
      if (moved !== undefined) return { ...moved, marks, bytes };
    }
    return { ...structuredClone({ value, marks, transfer }, { transfer }), bytes };
  } catch (cause) {
    throw new ServeError('SERVE_NOT_SERIALIZABLE', `${method}: ${messageOf(cause)}`, { cause });
  }
}

type Moved = Pick<CapturedValue, 'value' | 'transfer'>;

/**
 * The quick way for values that are one buffer and little else: the buffer, views of it, primitives, or an array of those.
 * `ArrayBuffer.prototype.transfer` takes a tenth of the time of `structuredClone`, which is half of a call that moves memory.
 *
 * @returns undefined for any other value
 */
function moveWhole(value: unknown, [buffer, ...others]: readonly Transferable[]): Moved | undefined {
  const parts = Array.isArray(value) ? value : [value];
  if (buffer === undefined || others.length > 0 || buffer.resizable || !parts.every(isWhole))
    return undefined;
  const views = parts.filter((part) => types.isTypedArray(part) && part.buffer === buffer);
  // Read before the buffer is moved, which takes the lengths of its views along.
  const places = new Map(views.map((view) => [view, placeOf(view)]));
  const moved = buffer.transfer();
  const taken = new Map<unknown, unknown>([[buffer, moved]]);
  for (const [view, { View, byteOffset, length }] of places)
    taken.set(view, new View(moved, byteOffset, length));
  const movedParts = parts.map((part) => taken.get(part) ?? part);
  return { value: Array.isArray(value) ? movedParts : movedParts[0], transfer: [moved] };
}

function placeOf(view: NodeJS.TypedArray) {
  const View = view.constructor as new (buffer: ArrayBuffer, byteOffset: number, length: number) => unknown;
  const { byteOffset, length } = view;
  return { View, byteOffset, length };
}

/** Views of a subclass stay with `structuredClone`, which makes plain ones of them. */
function isWhole(part: unknown): boolean {
  if (typeof part !== 'object' || part === null || types.isArrayBuffer(part)) return true;
  return types.isTypedArray(part) && Reflect.get(globalThis, part.constructor.name) === part.constructor;
}
