import { types } from 'node:util';
import type { ViewConstructor } from './kinds.ts';
import type { Marks } from './marks.ts';
import { replaceIn } from './replace.ts';
import type { Transferable } from './transfer.ts';

/** A buffer of this size or more is copied once and moved, which costs half of a structured clone (390 or 963 µs for 1 MiB). */
export const LARGE_BYTES = 65_536;

/** The reason why a detached buffer is refused. */
export const DETACHED = 'its memory was moved to another thread before (the buffer is detached)';

/** A copy of memory, and the memory that it was copied from. */
interface Taken {
  /** The caller's buffer, view or `Buffer`. */
  readonly source: ArrayBuffer | ArrayBufferView;
  readonly buffer: ArrayBuffer;
  readonly start: number;
  readonly end: number;
  /** Undefined for a buffer. */
  readonly View: ViewConstructor | undefined;
  /** Whether it is a `Buffer`, which may lie in a pool together with unrelated ones. */
  readonly isPooled: boolean;
  readonly isGiven: boolean;
  readonly copy: ArrayBuffer | ArrayBufferView;
  /** Whether the copy is empty so far, because another view of its buffer is there already. */
  readonly isDeferred: boolean;
}

/** The amount of memory in a captured message at a moment to which `restore` can go back. */
export interface MemoryState {
  readonly bytes: number;
  readonly transfer: Transferable[] | undefined;
  readonly moved: number;
  readonly taken: number;
}

const MAX_ELEMENT_BYTES = 8;

const EMPTY = new ArrayBuffer(0);

/**
 * The buffers and views in one captured message. Each is first copied by itself, and of a view only its own bytes: a 16-byte
 * `Buffer` would otherwise drag its whole pool (8–64 KiB) along. At the end `join()` puts the views of one buffer on one
 * copy again.
 */
export class CapturedMemory {
  /** The buffers that are moved with the message. */
  transfer: Transferable[] | undefined = undefined;
  bytes = 0;
  #moved: Set<Transferable> | undefined = undefined;
  #taken: Taken[] = [];

  /** Whether the owner gave memory away by `transfer()`. */
  get isMoving(): boolean {
    return this.#moved !== undefined;
  }

  isMoved(buffer: ArrayBufferLike): boolean {
    return this.#moved?.has(buffer as ArrayBuffer) === true;
  }

  /** Moves a buffer with the message, once. */
  move(buffer: Transferable): void {
    this.#moved ??= new Set();
    if (this.#moved.has(buffer)) return;
    this.#moved.add(buffer);
    this.transfer ??= [];
    this.transfer.push(buffer);
    this.bytes += buffer.byteLength;
  }

  /** @param isGiven whether the source is not used any more: a large buffer is then moved instead of copied */
  buffer(source: ArrayBuffer, isGiven: boolean): ArrayBuffer {
    // The copy of a resizable buffer is resizable; `slice` would fix its length.
    const copy = isGift(source, isGiven)
      ? source
      : source.resizable
        ? structuredClone(source)
        : copyOf(source, 0, source.byteLength);
    const about = { source, buffer: source, start: 0, end: source.byteLength, View: undefined };
    this.#taken.push({ ...about, isPooled: false, isGiven, copy, isDeferred: false });
    this.#count(copy, copy === source);
    return copy;
  }

  /** @param View the constructor of the copy */
  view(source: ArrayBufferView, View: ViewConstructor, isGiven: boolean): ArrayBufferView {
    const { buffer, byteOffset: start, byteLength } = source;
    const isPooled = Buffer.isBuffer(source);
    // Memory that is shared or moved is not copied, so its views stay valid.
    if (types.isSharedArrayBuffer(buffer) || this.isMoved(buffer))
      return isPooled ? new Uint8Array(buffer, start, byteLength) : source;
    const last = this.#taken.at(-1);
    const isDeferred = last?.buffer === buffer && !isPooled && !last.isPooled;
    const end = start + byteLength;
    const isWhole = byteLength === buffer.byteLength && isGift(buffer, isGiven);
    const own = isDeferred ? EMPTY : isWhole ? buffer : copyOf(buffer, start, end);
    const copy = new View(own);
    this.#taken.push({ source, buffer, start, end, View, isPooled, isGiven, copy, isDeferred });
    if (!isDeferred) this.#count(own, isWhole);
    return copy;
  }

  get state(): MemoryState {
    const { bytes, transfer } = this;
    return { bytes, transfer, moved: transfer?.length ?? 0, taken: this.#taken.length };
  }

  /** Forgets the memory that was taken since `state` was read. */
  restore({ bytes, transfer, moved, taken }: MemoryState): void {
    this.bytes = bytes;
    this.transfer = transfer;
    if (transfer !== undefined) transfer.length = moved;
    this.#taken.length = taken;
  }

  /**
   * Puts the copies of views of one buffer on one copy again, which spans the bytes that they use.
   *
   * @param root the captured value, which is changed in place
   * @returns the root, or the object that has replaced it
   */
  join(root: unknown, marks: Marks | undefined): unknown {
    const taken = this.#taken;
    this.#taken = [];
    if (taken.length < 2 && taken[0]?.isDeferred !== true) return root;
    const joined = new Map<unknown, object>();
    for (const all of sharesOf(taken)) for (const group of groupsOf(all)) this.#join(group, joined);
    if (joined.size === 0) return root;
    for (let index = 0; index < (marks?.length ?? 0); index += 2) {
      const standIn = joined.get(marks?.[index]);
      if (marks !== undefined && standIn !== undefined) marks[index] = standIn;
    }
    return replaceIn(root, joined);
  }

  #join(group: readonly Taken[], joined: Map<unknown, object>): void {
    this.#discard(group);
    const [first] = group as [Taken];
    const { buffer } = first;
    if (buffer.resizable) {
      const copies: readonly object[] = structuredClone(group.map(({ source }) => source));
      for (const [index, { copy }] of group.entries()) joined.set(copy, copies[index] as object);
      const copy = copies[0] as ArrayBuffer | ArrayBufferView;
      this.#count(ArrayBuffer.isView(copy) ? (copy.buffer as ArrayBuffer) : copy);
      return;
    }
    const { start: used, end } = spanOf(group);
    const start = alignedStart(group, used);
    const isWhole = start === 0 && end === buffer.byteLength;
    const isOwn = isWhole && group.every(({ isGiven }) => isGift(buffer, isGiven));
    const own = isOwn ? buffer : copyOf(buffer, start, end);
    for (const { View, start: at, end: to, copy } of group)
      joined.set(copy, View === undefined ? own : new View(own, at - start, (to - at) / sizeOf(View)));
    this.#count(own, isOwn);
  }

  /** Takes the copies that were made one by one out of the message. */
  #discard(group: readonly Taken[]): void {
    const copies = new Set<ArrayBufferLike>();
    for (const { copy, isDeferred } of group)
      if (!isDeferred) copies.add(ArrayBuffer.isView(copy) ? copy.buffer : copy);
    for (const { byteLength } of copies) this.bytes -= byteLength;
    this.transfer = this.transfer?.filter((buffer) => !copies.has(buffer));
  }

  /** @param isOriginal whether the buffer itself was given away; two views of it may have been given away as well */
  #count(own: ArrayBuffer, isOriginal = false): void {
    if (isOriginal && this.transfer?.includes(own) === true) return;
    this.bytes += own.byteLength;
    if (own.byteLength < LARGE_BYTES) return;
    this.transfer ??= [];
    this.transfer.push(own);
  }
}

/** `slice` fills the copy with zeros first: 125 instead of 75 µs for 1 MiB. */
function copyOf(buffer: ArrayBuffer, start: number, end: number): ArrayBuffer {
  const size = end - start;
  if (size < LARGE_BYTES) return buffer.slice(start, end);
  const copy = Buffer.allocUnsafeSlow(size);
  copy.set(new Uint8Array(buffer, start, size));
  return copy.buffer;
}

/** Whether the buffer itself is sent instead of a copy. */
function isGift(buffer: ArrayBuffer, isGiven: boolean): boolean {
  return isGiven && buffer.byteLength >= LARGE_BYTES && !buffer.resizable;
}

interface Span {
  readonly group: Taken[];
  readonly start: number;
  end: number;
}

/** The takings that share a buffer, by buffer; a buffer with a single taking is left out. */
function sharesOf(taken: readonly Taken[]): Taken[][] {
  const first = new Map<ArrayBuffer, Taken>();
  const shared = new Map<ArrayBuffer, Taken[]>();
  for (const one of taken) {
    const other = first.get(one.buffer);
    if (other === undefined) first.set(one.buffer, one);
    if (other !== undefined || one.isDeferred) {
      const all = shared.get(one.buffer);
      if (all !== undefined) all.push(one);
      else shared.set(one.buffer, other === undefined ? [one] : [other, one]);
    }
  }
  return [...shared.values()];
}

/**
 * The groups that are put on one copy. A buffer and its views form one group. A `Buffer` joins a group only if its bytes
 * overlap with that group, because all `Buffer`s of a pool would be sent together otherwise.
 */
function groupsOf(all: Taken[]): Taken[][] {
  if (areApart(all)) return [];
  const spans: Span[] = [];
  const views = all.filter(({ isPooled }) => !isPooled);
  if (views.length > 0) spans.push(spanOf(views));
  for (const one of all) if (one.isPooled) spans.push({ group: [one], start: one.start, end: one.end });
  spans.sort((a, b) => a.start - b.start);
  const merged: Span[] = [];
  for (const span of spans) {
    const last = merged.at(-1);
    if (last === undefined || span.start >= last.end) {
      merged.push(span);
    } else {
      last.group.push(...span.group);
      last.end = Math.max(last.end, span.end);
    }
  }
  return merged.map(({ group }) => group).filter(isToJoin);
}

/** Whether these are `Buffer`s that follow each other without overlap, as a pool makes them. False is not certain. */
function areApart(all: readonly Taken[]): boolean {
  let end = 0;
  for (const one of all) {
    if (!one.isPooled || one.start < end) return false;
    end = one.end;
  }
  return true;
}

function isToJoin(group: readonly Taken[]): boolean {
  return group.length > 1 || group[0]?.isDeferred === true;
}

/** The range of bytes that a group uses. */
function spanOf(group: readonly Taken[]): Span {
  let [start, end] = [Infinity, 0];
  for (const one of group) {
    start = Math.min(start, one.start);
    end = Math.max(end, one.end);
  }
  return { group: [...group], start, end };
}

/** The start of the copied range at which the elements of every view are aligned. */
function alignedStart(group: readonly Taken[], start: number): number {
  const isAligned = group.every(({ View, start: at }) => (at - start) % sizeOf(View) === 0);
  return isAligned ? start : start - (start % MAX_ELEMENT_BYTES);
}

function sizeOf(View: ViewConstructor | undefined): number {
  return View?.BYTES_PER_ELEMENT ?? 1;
}

/** Finds the buffers in captured values, and the buffers of views there. @param least minimum size, in bytes */
export function buffersIn(values: readonly unknown[], least = 0): ArrayBuffer[] {
  const seen = new Set<unknown>();
  const found: ArrayBuffer[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    seen.add(value);
    if (ArrayBuffer.isView(value)) visit(value.buffer);
    else if (types.isArrayBuffer(value)) {
      if (value.byteLength >= least) found.push(value);
    } else for (const member of membersOf(value)) visit(member);
  };
  for (const value of values) visit(value);
  return found;
}

function membersOf(value: object): Iterable<unknown> {
  if (value instanceof Map) return [...value].flat();
  if (value instanceof Set) return value;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
    ? Object.values(value)
    : [];
}
