import { types } from 'node:util';
import type { ViewConstructor } from './kinds.ts';
import type { Marks } from './marks.ts';
import { replaceIn } from './replace.ts';
import type { Transferable } from './transfer.ts';

/** From here on a buffer is copied once and moved, which costs half of a structured clone (390 against 963 µs for 1 MiB). */
export const LARGE_BYTES = 65_536;

/** Why a buffer without memory is refused. */
export const DETACHED = 'its memory was moved to another thread before (the buffer is detached)';

/** A copy of memory, and where it comes from. */
interface Taken {
  /** The buffer, view or `Buffer` of the caller. */
  readonly source: ArrayBuffer | ArrayBufferView;
  readonly buffer: ArrayBuffer;
  readonly start: number;
  readonly end: number;
  /** Undefined for a buffer. */
  readonly View: ViewConstructor | undefined;
  /** Many a `Buffer` lies in a pool together with others that mean nothing to it. */
  readonly isPooled: boolean;
  readonly isGiven: boolean;
  readonly copy: ArrayBuffer | ArrayBufferView;
  /** Whether the copy is empty so far, because another view of its buffer is there already. */
  readonly isDeferred: boolean;
}

/** What a captured message holds of memory, at some time. */
export interface MemoryState {
  readonly bytes: number;
  readonly transfer: Transferable[] | undefined;
  readonly moved: number;
  readonly taken: number;
}

const MAX_ELEMENT_BYTES = 8;

const EMPTY = new ArrayBuffer(0);

/**
 * The buffers and views of one captured message. Each is copied for itself at first, and only the bytes of the view: a
 * 16-byte `Buffer` would otherwise drag its whole pool (8–64 KiB) along. In the end `join()` puts those that lie on one
 * buffer on one again.
 */
export class CapturedMemory {
  /** Moved with the message. */
  transfer: Transferable[] | undefined = undefined;
  bytes = 0;
  #moved: Set<Transferable> | undefined = undefined;
  #taken: Taken[] = [];

  /** Whether its owner gave memory away (`transfer()`). */
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

  /** @param isGiven nobody will look at it again: a large buffer is moved, not copied */
  buffer(source: ArrayBuffer, isGiven: boolean): ArrayBuffer {
    // A resizable buffer stays one; `slice` would fix its length.
    const copy = isGift(source, isGiven)
      ? source
      : source.resizable
        ? structuredClone(source)
        : source.slice(0);
    const about = { source, buffer: source, start: 0, end: source.byteLength, View: undefined };
    this.#taken.push({ ...about, isPooled: false, isGiven, copy, isDeferred: false });
    this.#count(copy, copy === source);
    return copy;
  }

  /** @param View the constructor of the copy */
  view(source: ArrayBufferView, View: ViewConstructor, isGiven: boolean): ArrayBufferView {
    const { buffer, byteOffset: start, byteLength } = source;
    const isPooled = Buffer.isBuffer(source);
    // Memory that is not copied keeps its views.
    if (types.isSharedArrayBuffer(buffer) || this.isMoved(buffer))
      return isPooled ? new Uint8Array(buffer, start, byteLength) : source;
    const last = this.#taken.at(-1);
    const isDeferred = last?.buffer === buffer && !isPooled && !last.isPooled;
    const end = start + byteLength;
    const isWhole = byteLength === buffer.byteLength && isGift(buffer, isGiven);
    const own = isDeferred ? EMPTY : isWhole ? buffer : buffer.slice(start, end);
    const copy = new View(own);
    this.#taken.push({ source, buffer, start, end, View, isPooled, isGiven, copy, isDeferred });
    if (!isDeferred) this.#count(own, isWhole);
    return copy;
  }

  get state(): MemoryState {
    const { bytes, transfer } = this;
    return { bytes, transfer, moved: transfer?.length ?? 0, taken: this.#taken.length };
  }

  /** Forgets what was taken since then. */
  restore({ bytes, transfer, moved, taken }: MemoryState): void {
    this.bytes = bytes;
    this.transfer = transfer;
    if (transfer !== undefined) transfer.length = moved;
    this.#taken.length = taken;
  }

  /**
   * Puts the copies of views that lie on one buffer on one again, which has the span that they use.
   *
   * @param root what was captured; it is changed in place
   * @returns the root, or what has taken its place
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
    const own = isOwn ? buffer : buffer.slice(start, end);
    for (const { View, start: at, end: to, copy } of group)
      joined.set(copy, View === undefined ? own : new View(own, at - start, (to - at) / sizeOf(View)));
    this.#count(own, isOwn);
  }

  /** The copies that were made one by one are not sent. */
  #discard(group: readonly Taken[]): void {
    const copies = new Set<ArrayBufferLike>();
    for (const { copy, isDeferred } of group)
      if (!isDeferred) copies.add(ArrayBuffer.isView(copy) ? copy.buffer : copy);
    for (const { byteLength } of copies) this.bytes -= byteLength;
    this.transfer = this.transfer?.filter((buffer) => !copies.has(buffer));
  }

  /** @param isOriginal the buffer was given away; two views of it may have been */
  #count(own: ArrayBuffer, isOriginal = false): void {
    if (isOriginal && this.transfer?.includes(own) === true) return;
    this.bytes += own.byteLength;
    if (own.byteLength < LARGE_BYTES) return;
    this.transfer ??= [];
    this.transfer.push(own);
  }
}

/** Whether the buffer itself is sent, and no copy. */
function isGift(buffer: ArrayBuffer, isGiven: boolean): boolean {
  return isGiven && buffer.byteLength >= LARGE_BYTES && !buffer.resizable;
}

interface Span {
  readonly group: Taken[];
  readonly start: number;
  end: number;
}

/** What lies on one buffer, of those buffers on which several lie. */
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
 * What belongs on one buffer: the buffer itself and its views; of its `Buffer`s those that overlap with one of these or with
 * each other, since all in a pool would be sent together otherwise.
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

/** Whether these are `Buffer`s one behind the other, as a pool gives them; false is not certain. */
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

/** The bytes that are used. */
function spanOf(group: readonly Taken[]): Span {
  let [start, end] = [Infinity, 0];
  for (const one of group) {
    start = Math.min(start, one.start);
    end = Math.max(end, one.end);
  }
  return { group: [...group], start, end };
}

/** Where a copy of the span starts, so that each view finds its elements aligned. */
function alignedStart(group: readonly Taken[], start: number): number {
  const isAligned = group.every(({ View, start: at }) => (at - start) % sizeOf(View) === 0);
  return isAligned ? start : start - (start % MAX_ELEMENT_BYTES);
}

function sizeOf(View: ViewConstructor | undefined): number {
  return View?.BYTES_PER_ELEMENT ?? 1;
}
