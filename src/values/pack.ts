import { isPlainObject } from '../validation/fields.ts';
import { Capture, RESULT } from './capture.ts';
import { describe } from './describe-value.ts';
import type { Marks } from './marks.ts';
import { revive } from './revive.ts';

/** A captured value with its marks: ready for `postMessage` or `workerData`, any number of times. */
export interface Packed {
  readonly value: unknown;
  readonly marks: Marks | undefined;
}

/**
 * Captures a value so that it can be sent any number of times.
 * @param name the name of the value in an error
 * @throws ServeError `SERVE_NOT_SERIALIZABLE`
 */
export function pack(value: unknown, name: string): Packed {
  const capture = new Capture();
  const captured = capture.take(value, name, RESULT);
  return { value: captured, marks: capture.marks };
}

/**
 * Copies a packed value that is still needed after it is unpacked, because unpacking changes it in place. Containers and
 * stand-ins are copied; everything else is shared with the original.
 */
export function copyPacked({ value, marks }: Packed): Packed {
  const copies = new Map<unknown, unknown>();
  const copy = (item: unknown): unknown => {
    if (copies.has(item)) return copies.get(item);
    const empty = emptyLike(item);
    if (empty === undefined) return item;
    copies.set(item, empty);
    if (empty instanceof Map)
      for (const [key, inner] of item as typeof empty) empty.set(copy(key), copy(inner));
    else if (empty instanceof Set) for (const inner of item as typeof empty) empty.add(copy(inner));
    // Defined, not assigned: `__proto__` may be an ordinary key.
    else
      for (const [key, inner] of Object.entries(item as object))
        Object.defineProperty(empty, key, {
          value: copy(inner),
          writable: true,
          enumerable: true,
          configurable: true,
        });
    return empty;
  };
  return { value: copy(value), marks: marks?.map((mark) => copy(mark)) };
}

function emptyLike(item: unknown): object | undefined {
  if (Array.isArray(item)) return new Array(item.length);
  if (item instanceof Map) return new Map();
  if (item instanceof Set) return new Set();
  return isPlainObject(item) ? {} : undefined;
}

export function unpack({ value, marks }: Packed): unknown {
  return marks === undefined ? value : revive(value, marks);
}

/** Packs an error without ever throwing: an error that cannot cross to another thread is replaced by its description. */
export function packError(error: unknown): Packed {
  try {
    return pack(error, 'error');
  } catch {
    return pack(new Error(describe(error)), 'error');
  }
}

/** An error as it is passed on: as it arrived with its marks, or packed if it was made on this thread. */
export function rawError(error: unknown, marks: Marks | undefined): Packed {
  return error instanceof Error ? packError(error) : { value: error, marks };
}
