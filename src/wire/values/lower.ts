import { types } from 'node:util';
import { ServeError } from '../../errors.ts';
import { mayHaveNames } from '../../values/array-members.ts';
import { reasonAgainst, reasonAgainstPrimitive, viewConstructor } from '../../values/kinds.ts';
import { hasShared, MARK, type MarkKind, type Marks } from '../../values/marks.ts';
import {
  CONTAINER,
  type ContainerKind,
  EXTENSION,
  Extension,
  MAX_REGEXP_BYTES,
  pack,
  VIEWS_HERE,
} from './extension.ts';
import {
  bigintExtension,
  dateExtension,
  HOLE,
  isPlainText,
  NEGATIVE_ZERO,
  regexpExtension,
  textExtension,
  UNDEFINED,
} from './leaves.ts';
import { MemoryWriter } from './memory.ts';
import { pathTo } from './path-to.ts';
import { MAX_DEPTH } from './scan.ts';
import { sharedObjects } from './shared-objects.ts';

/** Value in the head of a container without a mark. */
export const NO_MARK = 0;

/** Approximate size of a number or of the head of a container, in bytes. */
const SMALL_BYTES = 6;

/** Reason for which a value cannot cross, and the part at fault. */
class Refusal {
  readonly part: unknown;
  readonly why: string;

  constructor(part: unknown, why: string) {
    this.part = part;
    this.why = why;
  }
}

/**
 * Turns captured values and their marks into what MessagePack can write: null, booleans, numbers, texts, plain objects,
 * arrays, and extensions for the rest. Containers are copied only where something in them has to be replaced; the
 * captured value stays unchanged, since a call may be sent a second time.
 */
export class Lowering {
  readonly #memory: MemoryWriter;
  /** A rough size of the frame in bytes, without large buffers. */
  bytes = 0;
  #marks: Map<unknown, MarkKind> | undefined = undefined;
  /** Objects that occur twice, with their numbers once they are written. */
  #shared: Map<object, number | undefined> | undefined = undefined;
  #nextShared = 0;

  /** @param views number of kinds of views that the receiver knows. Default: the kinds of this process */
  constructor(views: number = VIEWS_HERE) {
    this.#memory = new MemoryWriter(views);
  }

  /** Begins another message: numbers are only valid within one message. */
  beginMessage(): void {
    this.#memory.beginMessage();
    this.#nextShared = 0;
  }

  /** Begins another frame of the message. @param values the values to which the marks refer */
  beginFrame(values: readonly unknown[], marks: Marks | undefined): void {
    this.bytes = 0;
    this.#memory.beginFrame();
    this.#marks = undefined;
    this.#shared = undefined;
    if (marks === undefined) return;
    this.#marks = new Map();
    for (let index = 0; index < marks.length; index += 2) {
      const kind = marks[index + 1] as MarkKind;
      if (kind !== MARK.shared) this.#marks.set(marks[index], kind);
    }
    if (hasShared(marks)) this.#shared = sharedObjects(values);
  }

  /** The large buffers of the frame, in the order of their indices. */
  get large(): readonly ArrayBuffer[] {
    return this.#memory.large;
  }

  /**
   * Lowers a value. @param name name of the value in an error
   * @throws ServeError `SERVE_NOT_SERIALIZABLE`, naming the path
   */
  value(value: unknown, name: string): unknown {
    try {
      return this.#value(value, 0);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const where = `${name}${pathTo(value, error.part)}`;
      throw new ServeError(
        'SERVE_NOT_SERIALIZABLE',
        `${where} cannot cross to another process: ${error.why}`,
      );
    }
  }

  #value(value: unknown, depth: number): unknown {
    switch (typeof value) {
      case 'string':
        this.bytes += value.length;
        return isPlainText(value) ? value : textExtension(value);
      case 'number':
        this.bytes += SMALL_BYTES;
        return value === 0 && Object.is(value, -0) ? NEGATIVE_ZERO : value;
      case 'boolean':
        return value;
      case 'undefined':
        return UNDEFINED;
      case 'object':
        return value === null ? null : this.#object(value, depth);
      case 'bigint':
        return this.#bigint(value);
      default:
        throw new Refusal(value, reasonAgainstPrimitive(value as Function | symbol));
    }
  }

  #bigint(value: bigint): Extension {
    const extension = bigintExtension(value);
    this.bytes += extension.data.length;
    return extension;
  }

  #object(value: object, depth: number): unknown {
    this.bytes += SMALL_BYTES;
    if (depth > MAX_DEPTH) throw new Refusal(undefined, `it is nested more than ${MAX_DEPTH} levels deep`);
    const number = this.#shared === undefined ? undefined : this.#numberOf(value);
    if (number instanceof Extension) return number;
    const mark = this.#marks?.get(value);
    const isTagged = number !== undefined || (mark !== undefined && mark !== MARK.buffer);
    if (Array.isArray(value)) return this.#array(value, depth, number);
    if (Object.getPrototypeOf(value) === Object.prototype)
      return isTagged ? this.#entries(value, depth, mark, number) : this.#plain(value, depth);
    if (value instanceof Map) return this.#map(value, depth, number);
    if (value instanceof Set) {
      const items = Array.from(value, (item) => this.#value(item, depth + 1));
      return [head(CONTAINER.set, undefined, number), ...items];
    }
    const leaf = this.#leaf(value, mark);
    return number === undefined ? leaf : [head(CONTAINER.leaf, undefined, number), leaf];
  }

  /** Returns the number of an object that occurs twice, or its reference where it occurs again. */
  #numberOf(value: object): number | Extension | undefined {
    if (this.#shared?.has(value) !== true) return undefined;
    const known = this.#shared.get(value);
    if (known !== undefined) return new Extension(EXTENSION.same, pack([], [known]));
    const number = this.#nextShared++;
    this.#shared.set(value, number);
    return number;
  }

  #plain(value: object, depth: number): object {
    const source = value as Record<string, unknown>;
    let copy: Record<string, unknown> | undefined;
    for (const key in source) {
      const item = source[key];
      // Some libraries add functions to Object.prototype.
      if (typeof item === 'function' && !Object.hasOwn(source, key)) continue;
      if (key === '__proto__' || !isPlainText(key))
        return this.#entriesFrom(key, source, copy ?? source, depth);
      this.bytes += key.length + SMALL_BYTES;
      if (isAsItIs(item)) {
        if (typeof item === 'string') this.bytes += item.length;
        continue;
      }
      const lowered = this.#value(item, depth + 1);
      if (Object.is(lowered, item)) continue;
      copy ??= { ...source };
      copy[key] = lowered;
    }
    return copy ?? value;
  }

  /**
   * Lowers an object that a map of MessagePack cannot express: it has a mark, a number, or a key that is not plain
   * text.
   */
  #entries(value: object, depth: number, mark: MarkKind | undefined, number: number | undefined): unknown[] {
    const list: unknown[] = [head(CONTAINER.object, mark, number)];
    for (const key of Object.keys(value))
      list.push(this.#value(key, depth), this.#value(Reflect.get(value, key), depth + 1));
    return list;
  }

  /**
   * Does the same as `#entries` where the members before `key` were lowered already: no member may be written twice.
   */
  #entriesFrom(key: string, source: object, lowered: object, depth: number): unknown[] {
    const list: unknown[] = [head(CONTAINER.object, undefined, undefined)];
    let isLowered = true;
    for (const name of Object.keys(source)) {
      isLowered &&= name !== key;
      if (isLowered) list.push(name, Reflect.get(lowered, name));
      else list.push(this.#value(name, depth), this.#value(Reflect.get(source, name), depth + 1));
    }
    return list;
  }

  #array(value: readonly unknown[], depth: number, number: number | undefined): unknown[] {
    let copy: unknown[] | undefined;
    let isSparse = false;
    this.bytes += value.length * SMALL_BYTES;
    for (let index = 0; index < value.length; index++) {
      const item = value[index];
      if (isAsItIs(item)) {
        if (typeof item === 'string') this.bytes += item.length;
        continue;
      }
      let lowered = this.#value(item, depth + 1);
      if (item === undefined && !(index in value)) {
        lowered = HOLE;
        isSparse = true;
      }
      if (Object.is(lowered, item)) continue;
      copy ??= slice.call(value);
      copy[index] = lowered;
    }
    const hasNames = mayHaveNames(value);
    if (!isSparse && !hasNames && number === undefined) return copy ?? (value as unknown[]);
    const list: unknown[] = [head(CONTAINER.array, undefined, number), value.length];
    for (const item of copy ?? value) list.push(item);
    for (const name of namesOf(value))
      list.push(this.#value(name, depth), this.#value(Reflect.get(value, name), depth + 1));
    return list;
  }

  #map(value: Map<unknown, unknown>, depth: number, number: number | undefined): unknown[] {
    const list: unknown[] = [head(CONTAINER.map, undefined, number)];
    for (const [key, item] of value) list.push(this.#value(key, depth + 1), this.#value(item, depth + 1));
    return list;
  }

  #leaf(value: object, mark: MarkKind | undefined): Extension {
    if (types.isDate(value)) return dateExtension(value);
    if (types.isRegExp(value)) return this.#sized(regexpExtension(value), value, REGEXP_TOO_LONG);
    if (types.isArrayBuffer(value)) return this.#sized(this.#memory.buffer(value), value);
    if (ArrayBuffer.isView(value) && types.isArrayBuffer(value.buffer)) {
      const view = value as ArrayBufferView<ArrayBuffer>;
      return this.#sized(this.#memory.view(view, mark === MARK.buffer), value, reasonAgainstView(value));
    }
    throw new Refusal(value, reasonForPeers(value));
  }

  #sized(extension: Extension | undefined, value: object, why: string = reasonAgainst(value)): Extension {
    if (extension === undefined) throw new Refusal(value, why);
    this.bytes += extension.data.length;
    return extension;
  }
}

/** Whether a value needs no lowering, which saves a call for most members. */
function isAsItIs(value: unknown): boolean {
  if (typeof value === 'number') return value !== 0 || !Object.is(value, -0);
  return typeof value === 'string' ? isPlainText(value) : typeof value === 'boolean';
}

// `value.slice` is avoided: an array may have a property of that name.
const { slice } = Array.prototype;

const REGEXP_TOO_LONG = `it is a regular expression of more than ${MAX_REGEXP_BYTES} bytes`;

function head(kind: ContainerKind, mark: MarkKind | undefined, number: number | undefined): Extension {
  const bytes = [kind, mark === undefined ? NO_MARK : mark + 1];
  return new Extension(EXTENSION.container, pack(bytes, number === undefined ? [] : [number]));
}

/** Returns own names that are not indices; indices come first. */
function namesOf(value: readonly unknown[]): string[] {
  const keys = Object.keys(value);
  return keys.slice(keys.findLastIndex((key) => String(Number(key) >>> 0) === key) + 1);
}

function reasonAgainstView(value: object): string {
  const name = viewConstructor(value as ArrayBufferView)?.name;
  return name === undefined
    ? reasonAgainst(value)
    : `it is a ${name}, which does not exist in the peer's version of Node`;
}

function reasonForPeers(value: object): string {
  if (types.isSharedArrayBuffer(value)) return 'it is a SharedArrayBuffer, which only threads can share';
  if (ArrayBuffer.isView(value)) return 'it is a view of a SharedArrayBuffer, which only threads can share';
  if (value instanceof Blob) return 'it is a Blob; pass its bytes';
  return reasonAgainst(value);
}
