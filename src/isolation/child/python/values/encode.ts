import { types } from 'node:util';
import { ServeError } from '../../../../errors.ts';
import { isPlainObject } from '../../../../validation/fields.ts';
import { isInstance } from '../../../../validation/peek.ts';
import { toErrorEnvelope } from '../../../../values/error-envelope.ts';
import { reasonAgainst, reasonAgainstPrimitive } from '../../../../values/kinds.ts';
import { asTensor, dtypeOf, elementsOf, type Tensor } from './tensor.ts';

/** Lists of at least this many numbers travel as memory. */
const BULK_ITEMS = 16;
/** Strings of at least this many characters travel as memory. */
const BULK_CHARACTERS = 1_024;
/** The deepest nesting: Python's recursion limit is 1,000. */
const MAX_DEPTH = 500;

/** The first and the last moment that a `datetime` of Python holds. */
const FIRST_DATE = Date.parse('0001-01-01T00:00:00Z');
const LAST_DATE = Date.parse('9999-12-31T23:59:59.999Z');
/** The most digits of an integer that Python reads as text. */
const MAX_DIGITS = 4_300;

/** A mark: the path of a value, its kind, and its data unless the stand-in holds them. */
export type Mark = readonly [path: readonly (string | number)[], kind: string, data?: unknown];

/** The number of a value that is a handle; undefined for any other value. */
export type HandleNumber = (value: object) => number | undefined;

/** An HTTP request with its body, as plain data. */
export class RequestParts {
  readonly parts: Readonly<Record<string, unknown>>;

  constructor(parts: Readonly<Record<string, unknown>>) {
    this.parts = parts;
  }
}

/** Values side by side in one array: the items of a batch that are stacked. */
export class StackedRows {
  readonly rows: readonly Tensor[];

  constructor(rows: readonly Tensor[]) {
    this.rows = rows;
  }
}

/** A value as JSON text with the text of its marks, which is empty without marks. */
export interface EncodedText {
  readonly text: string;
  readonly marks: string;
}

/**
 * Encodes the values of one message. A value that JSON cannot express is `null` or a stand-in in its place, and is listed as a
 * mark. Values are not changed: a container is copied when something in it is replaced.
 */
export class ValueEncoder {
  readonly attachments: Uint8Array[] = [];
  readonly #handleNumber: HandleNumber;
  #marks: Mark[] = [];
  readonly #path: (string | number)[] = [];

  constructor(handleNumber: HandleNumber = () => undefined) {
    this.#handleNumber = handleNumber;
  }

  /**
   * @param name the name of the value in an error
   * @throws ServeError `SERVE_NOT_SERIALIZABLE`, naming the path
   */
  encode(value: unknown, name: string): EncodedText {
    const attached = this.attachments.length;
    this.#marks = [];
    this.#path.length = 0;
    try {
      const plain = this.#value(value);
      const text = JSON.stringify(plain) ?? 'null';
      return { text, marks: this.#marks.length === 0 ? '' : JSON.stringify(this.#marks) };
    } catch (error) {
      this.attachments.length = attached;
      if (!(error instanceof Refusal)) throw error;
      throw new ServeError(
        'SERVE_NOT_SERIALIZABLE',
        `${name}${spell(this.#path)} cannot cross to Python: ${error.message}`,
      );
    }
  }

  #mark(kind: string, data?: unknown): null {
    this.#marks.push(data === undefined ? [[...this.#path], kind] : [[...this.#path], kind, data]);
    return null;
  }

  #attach(bytes: Uint8Array): number {
    return this.attachments.push(bytes) - 1;
  }

  #value(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
        return value.length < BULK_CHARACTERS ? value : this.#longString(value);
      case 'number':
        return isJsonNumber(value) ? value : this.#mark('n', numberName(value));
      case 'bigint':
        return this.#mark('g', digitsOf(value));
      case 'boolean':
      case 'undefined':
        return value;
      case 'object':
        return value === null ? null : this.#object(value);
      default:
        throw new Refusal(reasonAgainstPrimitive(value as Function | symbol));
    }
  }

  #longString(value: string): string | null {
    // UTF-8 cannot express a lone surrogate; JSON escapes it.
    if (!value.isWellFormed()) return value;
    return this.#mark('s', this.#attach(Buffer.from(value)));
  }

  #object(value: object): unknown {
    if (this.#path.length > MAX_DEPTH) {
      this.#path.length = 0;
      throw new Refusal(`it is nested more than ${MAX_DEPTH} levels deep`);
    }
    if (Array.isArray(value)) return this.#array(value);
    if (ArrayBuffer.isView(value)) return this.#view(value);
    const handle = this.#handleNumber(value);
    if (handle !== undefined) return this.#mark('h', handle);
    if (isPlainObject(value)) {
      const tensor = asTensor(value);
      return tensor === undefined ? this.#plain(value) : this.#tensor(tensor);
    }
    return this.#builtin(value);
  }

  #array(value: readonly unknown[]): unknown {
    if (value.length >= BULK_ITEMS && typeof value[0] === 'number') {
      const bulk = numbersOf(value);
      if (bulk !== undefined) return this.#numbers(bulk);
    }
    return this.#items(value);
  }

  #numbers(bulk: Float64Array | Int32Array | BigInt64Array): null {
    const index = this.#attach(bytesOf(bulk));
    if (bulk instanceof Float64Array) return this.#mark('f', index);
    return this.#mark('i', [index, bulk instanceof Int32Array ? 'i' : 'q']);
  }

  /** @returns the list itself if nothing in it is replaced */
  #items(value: readonly unknown[]): readonly unknown[] {
    let copy: unknown[] | undefined;
    for (let index = 0; index < value.length; index++) {
      const item = value[index];
      this.#path.push(index);
      const taken = this.#value(item);
      this.#path.pop();
      if (taken !== item) {
        copy ??= [...value];
        copy[index] = taken;
      }
    }
    return copy ?? value;
  }

  #plain(value: Readonly<Record<string, unknown>>): object {
    let copy: Record<string, unknown> | undefined;
    for (const key of Object.keys(value)) {
      const item = value[key];
      this.#path.push(key);
      const taken = this.#value(item);
      this.#path.pop();
      if (taken !== item) {
        copy ??= { ...value };
        Object.defineProperty(copy, key, {
          value: taken,
          enumerable: true,
          configurable: true,
          writable: true,
        });
      }
    }
    return copy ?? value;
  }

  #view(value: ArrayBufferView): null {
    const dtype = dtypeOf(value);
    const index = this.#attach(bytesOf(value));
    if (dtype === undefined) return this.#mark('b', index);
    const count = (value as Float64Array).length;
    return this.#mark('t', [dtype, [count], index]);
  }

  #tensor({ dtype, shape, data }: Tensor): null {
    if (elementsOf(shape) !== data.length)
      throw new Refusal(`its shape [${shape.join(', ')}] does not fit its ${data.length} elements`);
    return this.#mark('t', [dtype, shape, this.#attach(bytesOf(data))]);
  }

  #builtin(value: object): unknown {
    if (types.isAnyArrayBuffer(value)) {
      if (types.isSharedArrayBuffer(value))
        throw new Refusal('it is a SharedArrayBuffer, which another process cannot share');
      return this.#mark('b', this.#attach(new Uint8Array(value)));
    }
    if (types.isMap(value)) return this.#map(value);
    if (types.isSet(value)) {
      for (const item of value)
        if (!isHashable(item))
          throw new Refusal(
            'it is a Set with a member that Python cannot hash, such as an object or an array',
          );
      const items = this.#items([...value]);
      this.#mark('e');
      return items;
    }
    if (types.isDate(value)) {
      const time = value.getTime();
      if (Number.isNaN(time)) throw new Refusal('it is an invalid Date');
      if (time < FIRST_DATE || time > LAST_DATE)
        throw new Refusal('it is a Date outside the years 1 to 9999, which Python has');
      return this.#mark('d', time);
    }
    if (types.isNativeError(value) || isInstance(value, Error)) return this.#error(value as Error);
    if (value instanceof RequestParts) {
      const stood = this.#plain(value.parts);
      this.#mark('q');
      return stood;
    }
    if (value instanceof StackedRows) return this.#stacked(value);
    throw new Refusal(reasonAgainst(value));
  }

  #map(value: ReadonlyMap<unknown, unknown>): unknown {
    for (const key of value.keys())
      if (typeof key !== 'string' && typeof key !== 'number')
        throw new Refusal('it is a Map with a key that is neither a string nor a number');
    const pairs = this.#items([...value]);
    this.#mark('m');
    return pairs;
  }

  #error(value: Error): object {
    const { name, message, stack, data, cause } = toErrorEnvelope(value, (inner) => inner);
    const kept: Record<string, unknown> = {};
    for (const [key, item] of Object.entries(data)) if (this.#canCross(item)) kept[key] = item;
    const envelope = {
      name,
      message,
      ...(stack !== undefined && { stack }),
      data: kept,
      ...(isInstance(cause, Error) && { cause }),
    };
    const stood = this.#plain(envelope);
    this.#mark('x');
    return stood;
  }

  /** Whether a member of an error can cross; one that cannot is left out. */
  #canCross(member: unknown): boolean {
    try {
      new ValueEncoder(this.#handleNumber).encode(member, '');
      return member !== undefined;
    } catch {
      return false;
    }
  }

  /** The memory of the rows lies side by side in the message, so that they are one array without a copy. */
  #stacked({ rows }: StackedRows): null {
    const [first] = rows;
    if (first === undefined) return this.#mark('t', ['float64', [0], this.#attach(new Uint8Array(0))]);
    const bytes = Buffer.concat(rows.map(({ data }) => bytesOf(data)));
    return this.#mark('t', [first.dtype, [rows.length, ...first.shape], this.#attach(bytes)]);
  }
}

/** Ends up as the reason in the error of the value. */
class Refusal extends Error {}

function spell(path: readonly (string | number)[]): string {
  return path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`)).join('');
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  if (types.isSharedArrayBuffer(view.buffer))
    return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** Whether JSON keeps the number as it is. Python reads digits alone as an integer, and would return a bigint beyond ±2^53. */
function isJsonNumber(value: number): boolean {
  return Number.isInteger(value)
    ? Number.isSafeInteger(value) && !Object.is(value, -0)
    : Number.isFinite(value);
}

function numberName(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** A list of numbers only as memory: integers that both sides hold exactly, else floats. */
function numbersOf(value: readonly unknown[]): Float64Array | Int32Array | BigInt64Array | undefined {
  let areIntegers = true;
  let areSmall = true;
  for (const item of value) {
    if (typeof item !== 'number') return undefined;
    if (!Number.isSafeInteger(item) || Object.is(item, -0)) areIntegers = false;
    else if ((item | 0) !== item) areSmall = false;
  }
  const numbers = value as readonly number[];
  if (!areIntegers) return Float64Array.from(numbers);
  return areSmall ? Int32Array.from(numbers) : BigInt64Array.from(numbers, BigInt);
}

/** Python refuses to read more digits. */
function digitsOf(value: bigint): string {
  const digits = String(value);
  if (digits.length > MAX_DIGITS) throw new Refusal(`it is a bigint of more than ${MAX_DIGITS} digits`);
  return digits;
}

/** Whether Python can hold the value in a set: it refuses lists, dicts, sets and arrays. */
function isHashable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || types.isDate(value) || types.isAnyArrayBuffer(value))
    return true;
  if (ArrayBuffer.isView(value)) return dtypeOf(value) === undefined;
  return !Array.isArray(value) && !isPlainObject(value) && !types.isSet(value) && !types.isMap(value);
}
