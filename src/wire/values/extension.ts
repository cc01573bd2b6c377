/**
 * The extension types of the wire, for values that MessagePack itself has no type for. The list is closed: a message
 * with any other type is refused before any value is built.
 */
export const EXTENSION = {
  /** `undefined`. No bytes. */
  undefined: 0,
  /** -0. No bytes. */
  negativeZero: 1,
  /** A hole of an array, inside an `array` container. No bytes. */
  hole: 2,
  /** 8 bytes: a signed integer. 9 and more: a sign (0 or 1), then the magnitude. Big endian. */
  bigint: 3,
  /** 8 bytes: milliseconds since 1970 as a float; NaN for an invalid date. */
  date: 4,
  /** Length of the flags (1 byte), flags, source in UTF-8. */
  regexp: 5,
  /** A string that UTF-8 would change (lone surrogates, a byte order mark in front), as UTF-16, little endian. */
  text: 6,
  /**
   * A buffer: place of its bytes (`MEMORY`, 1 byte), its number in the message (4 bytes), then the fields of that
   * place.
   */
  memory: 7,
  /** Kind (1 byte: index in `VIEWS`), 1 for a `Buffer` (1 byte), byte offset, length in elements (4 bytes each), then as 7. */
  view: 8,
  /** First item of an array that stands for a container: kind and mark (1 byte each), and perhaps its number (4 bytes). */
  container: 9,
  /** Number of a container that began before in this message (4 bytes). */
  same: 10,
  /** The marks of the frame that were collected up to here. No bytes. */
  marks: 11,
} as const;
export type ExtensionType = (typeof EXTENSION)[keyof typeof EXTENSION];

/** Longest source with flags of a regular expression, in bytes. */
export const MAX_REGEXP_BYTES = 4_096;

/** Smallest and largest number of bytes of each type. */
export const EXTENSION_BYTES: ReadonlyArray<readonly [min: number, max: number]> = [
  [0, 0],
  [0, 0],
  [0, 0],
  [8, Infinity],
  [8, 8],
  [1, MAX_REGEXP_BYTES],
  [0, Infinity],
  [5, Infinity],
  [15, Infinity],
  [2, 6],
  [4, 4],
  [0, 0],
];

/** Places of a buffer's bytes. */
export const MEMORY = {
  /** Here. */
  inline: 0,
  /** In a large binary of the frame, given by its index (4 bytes). */
  large: 1,
  /** In an earlier buffer of the message with the same number. */
  same: 2,
} as const;

/** Kinds of the arrays that stand for a container. */
export const CONTAINER = {
  /** Key, value, key, value, … */
  object: 0,
  /** Number of items, items, then name, value, name, value, … */
  array: 1,
  /** Key, value, key, value, … */
  map: 2,
  /** Items. */
  set: 3,
  /** One value: a leaf with an identity (a date, a view, …) that occurs twice. */
  leaf: 4,
} as const;
export type ContainerKind = (typeof CONTAINER)[keyof typeof CONTAINER];

/** Views by their number on the wire. */
export const VIEWS: readonly string[] = [
  'Uint8Array',
  'Int8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
  // Float16Array exists in Node 24, not in Node 22.
  'Float16Array',
];

/** Number of kinds of views that exist in this process, from the first on. */
export const VIEWS_HERE: number = VIEWS.filter((name) => name in globalThis).length;

/** One extension, ready to be written. The object has the shape that the library expects of its own. */
export class Extension {
  readonly type: ExtensionType;
  readonly data: Uint8Array<ArrayBuffer>;

  constructor(type: ExtensionType, data: Uint8Array<ArrayBuffer> = NOTHING) {
    this.type = type;
    this.data = data;
  }
}

const NOTHING = new Uint8Array(0);

/** Packs single bytes, then big-endian words of 4 bytes. */
export function pack(bytes: readonly number[], words: readonly number[], size = 0): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(Math.max(size, bytes.length + words.length * 4));
  data.set(bytes);
  const view = new DataView(data.buffer);
  for (let index = 0; index < words.length; index++)
    view.setUint32(bytes.length + index * 4, words[index] as number);
  return data;
}

/** Reads the word of 4 bytes at `at`. */
export function wordAt(data: Uint8Array, at: number): number {
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(at);
}
