import { types } from 'node:util';
import { membersOfSparse } from './array-members.ts';
import type { Bulk } from './bulk.ts';
import { toErrorEnvelope } from './error-envelope.ts';
import { identityOf } from './identity.ts';
import { isPortable, MARK, type MarkKind, type Marks, PORTABLE } from './marks.ts';
import { sha256 } from './sha256.ts';

/** A longer text is replaced by its hash in the text of its container, so that a shared container costs its size only once. */
const MAX_TEXT = 1_024;

/** A string of this many characters or more is hashed like memory. */
const LONG_STRING = 65_536;

/** Returns the hash of a large value, or undefined if the hash is not available at once. */
type HashOf = (bulk: Bulk) => string | undefined;

/**
 * Writes the same text for equal values, whatever the order of their keys. Versions, fingerprints and comparisons are made
 * from this text. A captured value gets the text of the value that it was captured from.
 *
 * The stack of an error is left out, because it only says where the error was made. Values without readable content are
 * identified by the object itself: shared memory, functions, instances without own properties.
 */
export class CanonicalWriter {
  readonly #hashOf: HashOf;
  readonly #kinds = new Map<unknown, MarkKind>();
  readonly #texts = new Map<object, string>();
  readonly #above = new Set<object>();

  /** @param marks the marks of a captured value */
  constructor(hashOf: HashOf, marks: Marks = []) {
    this.#hashOf = hashOf;
    for (let index = 0; index < marks.length; index += 2)
      this.#kinds.set(marks[index], marks[index + 1] as MarkKind);
  }

  write(value: unknown): string {
    if (typeof value === 'function') return `function#${identityOf(value)}`;
    if (typeof value !== 'object' || value === null) return this.#primitive(value);
    const known = this.#texts.get(value);
    if (known !== undefined) return known;
    if (this.#above.has(value)) return '<cycle>';
    this.#above.add(value);
    const written = this.#object(value);
    this.#above.delete(value);
    const text = written.length > MAX_TEXT ? `#${sha256(written)}` : written;
    this.#texts.set(value, text);
    return text;
  }

  #primitive(value: unknown): string {
    if (typeof value === 'string') {
      if (value.length < LONG_STRING) return JSON.stringify(value);
      return `string(${value.length},${this.#hashOf(value)})`;
    }
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'symbol') return `symbol(${JSON.stringify(String(value))})`;
    return Object.is(value, -0) ? '-0' : String(value);
  }

  #object(value: object): string {
    const kind = this.#kinds.get(value);
    if (kind === MARK.error) return this.#record('Error', value, 'stack');
    if (kind === MARK.handle || kind === MARK.request) return this.#standIn(kind, value);
    if (ArrayBuffer.isView(value)) return this.#view(value, kind === MARK.buffer || Buffer.isBuffer(value));
    if (types.isArrayBuffer(value)) {
      const limit = value.resizable ? `,${value.maxByteLength}` : '';
      return `ArrayBuffer(${value.byteLength}${limit},${this.#hashOf(value)})`;
    }
    if (Array.isArray(value)) return this.#array(value);
    if (types.isMap(value)) {
      const entries = [...value].map(([key, item]) => `${this.write(key)}:${this.write(item)}`);
      return `Map{${entries.join()}}`;
    }
    if (types.isSet(value)) return `Set{${[...value].map((item) => this.write(item)).join()}}`;
    if (types.isDate(value)) return `Date(${value.getTime()})`;
    if (types.isRegExp(value)) return `RegExp(${JSON.stringify(String(value))})`;
    if (types.isNativeError(value) || value instanceof Error)
      return this.#record(
        'Error',
        toErrorEnvelope(value, (inner) => inner),
        'stack',
      );
    if (value instanceof Blob)
      return `Blob(${JSON.stringify(value.type)},${value.size},${this.#hashOf(value)})`;
    return this.#other(value);
  }

  #view(value: ArrayBufferView, isBuffer: boolean): string {
    const name = isBuffer ? 'Buffer' : Object.prototype.toString.call(value);
    const { buffer, byteOffset, byteLength } = value;
    if (types.isSharedArrayBuffer(buffer))
      return `${name}(shared#${identityOf(buffer)},${byteOffset},${byteLength})`;
    return `${name}(${byteLength},${this.#hashOf(value)})`;
  }

  /** A hole is not the same as `undefined`, and the holes of a sparse array are not walked. */
  #array(value: readonly unknown[]): string {
    if (membersOfSparse(value as unknown[]) !== undefined)
      return this.#record(`Array ${value.length}`, value);
    const items = Array.from(value, (item, index) =>
      item === undefined && !Object.hasOwn(value, index) ? '' : this.write(item),
    );
    const keys = Object.keys(value);
    const names = keys.slice(keys.findLastIndex((key) => isIndex(key)) + 1);
    return `[${items.join()}${names.map((name) => `;${this.#entry(value, name)}`).join('')}]`;
  }

  #other(value: object): string {
    const portable = isPortable(value) ? value[PORTABLE]() : undefined;
    if (portable !== undefined) return this.#standIn(portable.kind, portable.data);
    const prototype: object | null = Object.getPrototypeOf(value);
    if (prototype === null || Object.getPrototypeOf(prototype) === null) return this.#record('', value);
    const name = JSON.stringify(String(prototype.constructor?.name));
    return Object.keys(value).length === 0 ? `${name}#${identityOf(value)}` : this.#record(name, value);
  }

  /** A handle is equal whichever instance sent it. */
  #standIn(kind: MarkKind, data: object): string {
    return this.#record(`mark ${kind}`, data, kind === MARK.handle ? 'instance' : undefined);
  }

  #record(name: string, value: object, without?: string): string {
    const keys = Object.keys(value)
      .filter((key) => key !== without)
      .sort();
    return `${name}{${keys.map((key) => this.#entry(value, key)).join()}}`;
  }

  #entry(value: object, key: string): string {
    return `${JSON.stringify(key)}:${this.write(Reflect.get(value, key))}`;
  }
}

function isIndex(key: string): boolean {
  return String(Number(key) >>> 0) === key;
}
