import { types } from 'node:util';
import { ServeError } from '../errors.ts';
import { isInstance } from '../validation/peek.ts';
import { mayHaveNames, membersOfSparse } from './array-members.ts';
import { Copies } from './copies.ts';
import { describe } from './describe-value.ts';
import { toErrorEnvelope } from './error-envelope.ts';
import { isBuiltIn, isForeign, reasonAgainst, reasonAgainstPrimitive, viewConstructor } from './kinds.ts';
import { isPortable, MARK, type Marks, markShared, PORTABLE, type Portable } from './marks.ts';
import { CapturedMemory, DETACHED } from './memory.ts';
import { type Parts, partsOf } from './parts.ts';
import { below, type Path, spell } from './path.ts';
import { ALL, type Transferable, takeTransfer } from './transfer.ts';

export { LARGE_BYTES } from './memory.ts';

/**
 * The deepest nesting that is accepted. The receiver's stack is the limit (1,624 levels of objects on a main thread with
 * 984 KiB), and a message that the receiver cannot read is lost with all calls in it.
 */
const MAX_DEPTH = 1_000;

/** Takes the place of an argument's index for a value that is a result. */
export const RESULT = -1;

/**
 * Makes values independent of their owner: one walk checks that each value is of an allowed kind, copies it, and replaces
 * values that structured clone would mangle.
 *
 * A call is posted at the end of the loop turn (or when a replica has room). Without the copy a caller could change an
 * argument after `remote()`, and an object used in two calls of one message would arrive as one object. Copying containers
 * during the walk prevents both, and is cheaper than remembering identities (13 instead of 50 ns for `{ x: 1 }`).
 */
export class Capture {
  marks: Marks | undefined = undefined;
  /** Approximate bytes of all values except buffers. */
  #bytes = 0;
  #memory: CapturedMemory | undefined = undefined;
  readonly #copies = new Copies();
  /** Whether the walk is inside a value that was given away, whose large buffers are not copied. */
  #isGiven = false;
  /** Whether the walk is inside an error, whose members are left out if they cannot cross. */
  #isInError = false;
  #method = '';
  #index: number = RESULT;

  /** Forgets the last value, so that one instance serves all calls of a thread. */
  reset(): void {
    this.marks = undefined;
    this.#bytes = 0;
    this.#memory = undefined;
    this.#copies.reset();
    this.#isGiven = false;
    this.#isInError = false;
  }

  /** The buffers that are moved with the message. */
  get transfer(): Transferable[] | undefined {
    return this.#memory?.transfer;
  }

  /** The approximate size in bytes, by which large messages are flushed early. */
  get bytes(): number {
    return this.#memory === undefined ? this.#bytes : this.#bytes + this.#memory.bytes;
  }

  /** Whether the owner gave memory away by `transfer()`; it must be detached now, not when the message is posted. */
  get isMoving(): boolean {
    return this.#memory?.isMoving === true;
  }

  /**
   * Captures a value as it will be posted.
   * @param method names the value in an error together with `index`, such as `predict(arg 0).image`
   * @param index the index of the argument, or `RESULT`
   * @throws ServeError `SERVE_NOT_SERIALIZABLE`, naming the path
   */
  take(value: unknown, method: string, index: number): unknown {
    this.#method = method;
    this.#index = index;
    if (typeof value !== 'object' || value === null) return this.#primitive(value, undefined);
    try {
      const taken = this.#object(value, undefined);
      return this.#memory === undefined ? taken : this.#memory.join(taken, this.marks);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /**
   * Captures all arguments of a method as they will be posted.
   * @throws ServeError `SERVE_NOT_SERIALIZABLE`, naming the path
   */
  takeAll(values: readonly unknown[], method: string): unknown[] {
    this.#method = method;
    const taken = new Array<unknown>(values.length);
    try {
      for (let index = 0; index < values.length; index++) {
        const value = values[index];
        this.#index = index;
        taken[index] =
          typeof value === 'object' && value !== null
            ? this.#object(value, undefined)
            : this.#primitive(value, undefined);
      }
      if (this.#memory !== undefined) this.#memory.join(taken, this.marks);
    } catch (error) {
      throw this.#failure(error);
    }
    return taken;
  }

  #failure(error: unknown): ServeError {
    if (error instanceof ServeError) return error;
    // The stack was nearly exhausted, memory ran out, or a trap of a Proxy threw.
    return this.#refused(undefined, `it cannot be read: ${describe(error)}`, error);
  }

  #primitive(value: unknown, path: Path | undefined): unknown {
    if (typeof value === 'string') this.#bytes += value.length;
    else if (typeof value === 'function' || typeof value === 'symbol')
      throw this.#refused(path, reasonAgainstPrimitive(value));
    return value;
  }

  #object(value: object, path: Path | undefined): unknown {
    const known = this.#copies.of(value, this.#isInError);
    if (known !== undefined) {
      this.marks = markShared(this.marks);
      return known;
    }
    if (path !== undefined && path.depth > MAX_DEPTH) {
      throw this.#refused(undefined, `it is nested more than ${MAX_DEPTH} levels deep`);
    }
    if (this.#markTransfers(value, path)) return this.#given(value, path);
    if (types.isProxy(value)) throw this.#refused(path, reasonAgainst(value));
    const parts = this.#isInError ? partsOf(value) : undefined;
    if (parts !== undefined) return this.#parts(value, parts, path);
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return this.#plain(value, path);
    if (prototype === Array.prototype && Array.isArray(value)) return this.#array(value, path);
    return this.#builtin(value, prototype, path);
  }

  #given(value: object, path: Path | undefined): unknown {
    const outer = this.#isGiven;
    this.#isGiven = true;
    const taken = this.#object(value, path);
    this.#isGiven = outer;
    return taken;
  }

  /** Marks the buffers to move. @returns whether the value was given away as a whole */
  #markTransfers(value: object, path: Path | undefined): boolean {
    const buffers = takeTransfer(value);
    if (buffers === undefined) return false;
    if (buffers === ALL) return true;
    const memory = this.#memoryNow();
    for (const buffer of buffers) {
      if (buffer.detached && !memory.isMoved(buffer)) throw this.#refused(path, DETACHED);
      memory.move(buffer);
    }
    return false;
  }

  #plain(value: object, path: Path | undefined): object {
    let copy: Record<string, unknown>;
    try {
      // Spread is the fastest shallow copy in V8, and reads each getter exactly once.
      copy = { ...value };
    } catch (error) {
      throw this.#unreadable(value, path, error);
    }
    this.#copies.add(value, copy);
    for (const key in copy) {
      const item = copy[key];
      if (typeof item === 'object') {
        if (item !== null) copy[key] = this.#object(item, below(path, key));
      } else if (typeof item === 'string') {
        this.#bytes += item.length;
      } else if ((typeof item === 'function' || typeof item === 'symbol') && Object.hasOwn(copy, key)) {
        // Only own members count, because some libraries add functions to Object.prototype.
        this.#primitive(item, below(path, key));
      }
    }
    this.#bytes += 16;
    return copy;
  }

  #array(value: unknown[], path: Path | undefined): unknown[] {
    let copy: unknown[];
    let members: number | undefined;
    try {
      members = membersOfSparse(value);
      // `value.slice` of an array from another realm would make an array of that realm.
      copy = members === undefined ? slice.call(value) : [];
    } catch (error) {
      throw this.#unreadable(value, path, error);
    }
    if (members !== undefined)
      throw this.#refused(
        path,
        `it is a sparse array: its length is ${value.length}, its members are ${members}`,
      );
    const hasNames = mayHaveNames(value);
    this.#copies.add(value, copy);
    for (let index = 0; index < copy.length; index++) {
      const item = copy[index];
      if (typeof item === 'object') {
        if (item !== null) copy[index] = this.#object(item, below(path, index));
      } else if (typeof item === 'string') {
        this.#bytes += item.length;
      } else if (typeof item === 'function' || typeof item === 'symbol') {
        this.#primitive(item, below(path, index));
      }
    }
    this.#bytes += copy.length * 8;
    if (hasNames) this.#names(value, copy, path);
    return copy;
  }

  /** Copies the named properties of an array, such as `index` of a RegExp match. */
  #names(value: unknown[], copy: unknown[], path: Path | undefined): void {
    for (const key of Object.keys(value)) {
      if (Object.hasOwn(copy, key)) continue;
      let item: unknown;
      try {
        item = Reflect.get(value, key);
      } catch (error) {
        throw this.#unreadable(value, path, error);
      }
      Object.defineProperty(copy, key, {
        value: this.#nested(item, below(path, key)),
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
  }

  #nested(value: unknown, path: Path): unknown {
    return typeof value === 'object' && value !== null
      ? this.#object(value, path)
      : this.#primitive(value, path);
  }

  #builtin(value: object, prototype: object, path: Path | undefined): unknown {
    if (ArrayBuffer.isView(value)) return this.#view(value, path);
    if (types.isArrayBuffer(value)) return this.#buffer(value, path);
    if (types.isSharedArrayBuffer(value)) return value;
    if (types.isMap(value) && isBuiltIn(prototype, Map)) return this.#map(value, path);
    if (types.isSet(value) && isBuiltIn(prototype, Set)) return this.#set(value, path);
    if (types.isDate(value) && isBuiltIn(prototype, Date)) return this.#leaf(value, new Date(value));
    if (types.isRegExp(value) && isBuiltIn(prototype, RegExp)) return this.#leaf(value, new RegExp(value));
    if (types.isNativeError(value) || isInstance(value, Error)) return this.#error(value, path);
    if (isPortable(value)) return this.#portable(value);
    if (isInstance(value, Blob) && prototype === Blob.prototype) return value;
    if (Array.isArray(value) && isForeign(prototype, 'Array')) return this.#array(value, path);
    if (isForeign(prototype, 'Object')) return this.#plain(value, path);
    throw this.#refused(path, reasonAgainst(value));
  }

  #leaf(value: object, copy: object): object {
    this.#copies.add(value, copy);
    return copy;
  }

  #portable(value: Portable): object {
    const standIn = value[PORTABLE]();
    if (standIn === undefined) return value;
    this.#bytes += standIn.bytes ?? 0;
    return this.#leaf(value, this.#mark({ ...standIn.data }, standIn.kind));
  }

  #mark<T extends object>(standIn: T, kind: (typeof MARK)[keyof typeof MARK]): T {
    this.marks ??= [];
    this.marks.push(standIn, kind);
    return standIn;
  }

  #map(value: Map<unknown, unknown>, path: Path | undefined): Map<unknown, unknown> {
    const copy = new Map();
    this.#copies.add(value, copy);
    for (const [key, item] of value) {
      const at = below(path, typeof key === 'string' ? key : '<key>');
      copy.set(this.#nested(key, at), this.#nested(item, at));
    }
    this.#bytes += copy.size * 16;
    return copy;
  }

  #set(value: Set<unknown>, path: Path | undefined): Set<unknown> {
    const copy = new Set();
    this.#copies.add(value, copy);
    for (const item of value) copy.add(this.#nested(item, below(path, '<item>')));
    this.#bytes += copy.size * 8;
    return copy;
  }

  /** Captures an error; its members that cannot cross (a socket, a function) are left out. */
  #error(value: Error, path: Path | undefined): object {
    const standIn = {};
    this.#copies.add(value, standIn);
    this.#mark(standIn, MARK.error);
    const outer = this.#isInError;
    this.#isInError = true;
    // A member of an error lies two levels deeper, in a list or a record of the envelope.
    const envelope = toErrorEnvelope(value, (inner, key) =>
      this.#attempt(() => this.#nested(inner, below(path, key, 2))),
    );
    this.#isInError = outer;
    return Object.assign(standIn, envelope);
  }

  #parts(value: object, { copy, members }: Parts, path: Path | undefined): object {
    this.#copies.addInError(value, copy);
    for (const { name, values, put } of members) {
      const at = below(path, name);
      try {
        put(this.#attempt(() => values.map((part) => this.#nested(part, at))));
        this.#bytes += 8;
      } catch {
        this.#copies.lost();
      }
    }
    return copy;
  }

  /** Captures a value that may be left out. If it is refused, its marks, memory and partial copies are dropped. */
  #attempt<T>(take: () => T): T {
    const { marks } = this;
    const [bytes, marked, known] = [this.#bytes, marks?.length ?? 0, this.#copies.state];
    const [memory, isGiven] = [this.#memory, this.#isGiven];
    const state = memory?.state;
    try {
      return take();
    } catch (error) {
      this.#bytes = bytes;
      this.marks = marks;
      if (marks !== undefined) marks.length = marked;
      this.#memory = memory;
      this.#isGiven = isGiven;
      if (state !== undefined) memory?.restore(state);
      this.#copies.restore(known);
      throw error;
    }
  }

  #memoryNow(): CapturedMemory {
    this.#memory ??= new CapturedMemory();
    return this.#memory;
  }

  #buffer(value: ArrayBuffer, path: Path | undefined): ArrayBuffer {
    const memory = this.#memoryNow();
    if (memory.isMoved(value)) return value;
    if (value.detached) throw this.#refused(path, DETACHED);
    const copy = memory.buffer(value, this.#isGiven);
    this.#copies.add(value, copy);
    return copy;
  }

  #view(value: ArrayBufferView, path: Path | undefined): ArrayBufferView {
    const isBuffer = Buffer.isBuffer(value);
    const View = isBuffer ? Uint8Array : viewConstructor(value);
    if (View === undefined) throw this.#refused(path, reasonAgainst(value));
    const memory = this.#memoryNow();
    const { buffer } = value;
    if (types.isArrayBuffer(buffer) && buffer.detached && !memory.isMoved(buffer))
      throw this.#refused(path, DETACHED);
    const copy = memory.view(value, View, this.#isGiven);
    this.#copies.add(value, copy);
    return isBuffer ? this.#mark(copy, MARK.buffer) : copy;
  }

  /** The error for a container that threw when it was read; names the getter if a getter threw. */
  #unreadable(container: object, path: Path | undefined, error: unknown): ServeError {
    for (const key of Object.keys(container)) {
      try {
        Reflect.get(container, key);
      } catch (thrown) {
        const isItem = Array.isArray(container) && String(Number(key)) === key;
        const at = below(path, isItem ? Number(key) : key);
        return this.#refused(at, `reading it threw ${describe(thrown)}`, thrown);
      }
    }
    return this.#refused(path, `it cannot be read: ${describe(error)}`, error);
  }

  #refused(path: Path | undefined, why: string, cause?: unknown): ServeError {
    const value = this.#index === RESULT ? 'result' : `arg ${this.#index}`;
    return new ServeError(
      'SERVE_NOT_SERIALIZABLE',
      `${this.#method}(${value})${spell(path)} cannot cross a thread: ${why}`,
      cause === undefined ? {} : { cause },
    );
  }
}

const { slice } = Array.prototype;
