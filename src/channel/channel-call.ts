import type { Marks } from '../values/marks.ts';
import { buffersIn } from '../values/memory.ts';
import { revive } from '../values/revive.ts';
import type { EncodedValue } from '../values/transfer.ts';
import type { ArrivedCall } from './call-intake.ts';
import {
  type CallMeta,
  type CancelCode,
  FRAME,
  type FrameKind,
  frameLength,
  type PackedMeta,
  RAN_UNITS_PER_MS,
  unpackMeta,
} from './frames.ts';
import type { InboundCall, InboundListener, RawArguments } from './inbound-call.ts';
import type { Outbox } from './outbox.ts';

/** Start time of a call whose run is not measured. */
export const NOT_TIMED = 0;

/** Size up to which pieces of a body are joined, in characters or bytes, which are copied each time. */
const MAX_JOINED_TEXT = 16_384;
const MAX_JOINED_BYTES = 2_048;

/** @returns undefined if the pieces are of different kinds, or too large to be joined */
function join(before: string | Uint8Array, piece: string | Uint8Array): string | Uint8Array | undefined {
  const length = before.length + piece.length;
  if (typeof before === 'string')
    return typeof piece === 'string' && length <= MAX_JOINED_TEXT ? before + piece : undefined;
  if (typeof piece === 'string' || length > MAX_JOINED_BYTES) return undefined;
  const both = new Uint8Array(length);
  both.set(before);
  both.set(piece, before.length);
  return both;
}

function deliver(kind: FrameKind, listener: InboundListener, frames: readonly unknown[], at: number): void {
  switch (kind) {
    case FRAME.cancel:
      listener.cancelled(frames[at + 2] as CancelCode);
      return;
    case FRAME.credit:
      listener.credited(frames[at + 2] as number);
      return;
    case FRAME.chunk:
      listener.uploaded(frames[at + 2], frames[at + 3] as number);
      return;
    case FRAME.end:
      listener.uploadEnded();
      return;
    default:
      throw new TypeError(`a caller sent frame kind ${kind}`);
  }
}

/** The end of a channel at which a call arrived. */
export interface ArrivalEnd {
  readonly callerName: string;
  readonly outbox: Outbox;
  /** Runs a call, unless its caller has taken it back or is gone. */
  claim(call: ChannelCall, slot: number, at: number): boolean;
  /** The last frame of a call goes to the outbox next. @param begunAt start time, or `NOT_TIMED` */
  over(slot: number, begunAt: number): void;
  /** The answer of a call is a stream from now on. */
  streams(): void;
}

/** A call that arrived over a channel. */
export class ChannelCall implements InboundCall, ArrivedCall {
  readonly number: number;
  readonly method: number;
  readonly deadline: number;
  listener: InboundListener | undefined = undefined;
  isStreaming = false;
  readonly #id: number;
  readonly #channel: ArrivalEnd;
  readonly #args: unknown[];
  #marks: Marks | undefined;
  /** The metadata as they crossed; unpacked when they are read. */
  #meta: PackedMeta;
  /** Start time of `clock.now()`, or `NOT_TIMED`; undefined until the call begins. */
  #begunAt: number | undefined = undefined;
  /** The open batch that holds the last piece of a body, and the piece's index in it. */
  #pieceBatch: unknown[] | undefined = undefined;
  #pieceAt = 0;
  /** Frames of the call that arrived before it began. */
  #early: unknown[][] | undefined = undefined;

  constructor(
    channel: ArrivalEnd,
    id: number,
    number: unknown,
    method: unknown,
    deadline: unknown,
    args: unknown[],
    marks: Marks | undefined,
    meta: PackedMeta,
  ) {
    this.#channel = channel;
    this.#id = id;
    this.number = number as number;
    this.method = method as number;
    this.deadline = deadline as number;
    this.#args = args;
    this.#marks = marks;
    this.#meta = meta;
  }

  get meta(): CallMeta | undefined {
    if (typeof this.#meta === 'string') this.#meta = unpackMeta(this.#meta);
    return this.#meta;
  }

  get upload(): CallMeta['upload'] {
    return typeof this.#meta === 'string' ? undefined : this.#meta?.upload;
  }

  /**
   * The arguments, revived when the call reads them: an argument that cannot be revived (a Request with a bad URL)
   * fails only this call.
   */
  get args(): unknown[] {
    const marks = this.#marks;
    if (marks !== undefined) {
      this.#marks = undefined;
      revive(this.#args, marks);
      const { meta } = this;
      if (meta?.locals !== undefined) meta.locals = revive(meta.locals, marks);
    }
    return this.#args;
  }

  raw(): RawArguments {
    return { args: this.#args, marks: this.#marks, meta: this.meta };
  }

  begin(at: number, isTimed: boolean): boolean {
    this.#begunAt = isTimed ? at : NOT_TIMED;
    if (!this.#channel.claim(this, this.#id, at)) return false;
    if (this.#early !== undefined)
      for (const frames of this.#early) this.deliver(frames[0] as FrameKind, frames, 0);
    return true;
  }

  /** Takes a frame that its caller sent after the call. */
  deliver(kind: FrameKind, frames: readonly unknown[], at: number): void {
    if (this.#begunAt !== undefined) {
      if (this.listener !== undefined) deliver(kind, this.listener, frames, at);
      return;
    }
    this.#early ??= [];
    this.#early.push(frames.slice(at, at + frameLength(frames, at)));
  }

  get callerName(): string {
    return this.#channel.callerName;
  }

  get isByReference(): boolean {
    return false;
  }

  result(value: unknown, { marks, bytes, transfer }: EncodedValue): void {
    this.#channel.over(this.#id, this.#begunAt ?? NOT_TIMED);
    if (marks === undefined) this.#channel.outbox.frames.push(FRAME.result, this.#id, value);
    else this.#channel.outbox.frames.push(FRAME.resultMarked, this.#id, value, marks);
    this.#channel.outbox.commit(bytes, transfer, true);
  }

  error(value: unknown, { marks, bytes, transfer }: EncodedValue): void {
    this.#channel.over(this.#id, this.#begunAt ?? NOT_TIMED);
    this.#channel.outbox.frames.push(FRAME.error, this.#id, value, marks);
    this.#channel.outbox.commit(bytes, transfer, true);
  }

  /** The last frame of a call that a relay had begun elsewhere, where its replica is gone. */
  lost(value: unknown, { marks, bytes, transfer }: EncodedValue): void {
    this.#channel.over(this.#id, this.#begunAt ?? NOT_TIMED);
    this.#channel.outbox.frames.push(FRAME.lost, this.#id, value, marks);
    this.#channel.outbox.commit(bytes, transfer, true);
  }

  /** The last frame of a call that has certainly not begun: a relay found no place for it. */
  returned(): void {
    this.#channel.over(this.#id, this.#begunAt ?? NOT_TIMED);
    const { args, meta, marks } = this.raw();
    // Copied, not moved: a link may still read what it was given to send.
    const memory = buffersIn([args, meta]);
    const back = memory.length > 0 ? [args, meta, marks] : [undefined, undefined, undefined];
    this.#channel.outbox.frames.push(FRAME.returned, this.#id, ...back);
    const bytes = memory.reduce((sum, { byteLength }) => sum + byteLength, 0);
    this.#channel.outbox.commit(bytes, undefined, true);
  }

  /** The call ran in another instance: ahead of its last frame. */
  ranAt(replica: string | undefined, waitedMs: number, ranMs: number | undefined): void {
    const [waited, ran] = [waitedMs, ranMs ?? 0].map((ms) => Math.ceil(ms * RAN_UNITS_PER_MS));
    this.#channel.outbox.frames.push(FRAME.ranAt, this.#id, replica, waited, ran);
  }

  open(value: unknown, { marks, bytes, transfer }: EncodedValue): void {
    this.isStreaming = true;
    this.#channel.streams();
    this.#channel.outbox.frames.push(FRAME.open, this.#id, value, marks);
    this.#channel.outbox.commit(bytes, transfer);
  }

  chunk(value: unknown, { marks, bytes, transfer }: EncodedValue): void {
    if (marks === undefined) this.#channel.outbox.frames.push(FRAME.chunk, this.#id, value, bytes);
    else this.#channel.outbox.frames.push(FRAME.chunkMarked, this.#id, value, bytes, marks);
    this.#channel.outbox.commitChunk(bytes, transfer);
  }

  piece(value: string | Uint8Array): boolean {
    const { outbox } = this.#channel;
    const { frames } = outbox;
    const bytes = value.length;
    if (frames === this.#pieceBatch) {
      const at = this.#pieceAt;
      const joined = join(frames[at + 2] as string | Uint8Array, value);
      if (joined !== undefined) {
        frames[at + 2] = joined;
        frames[at + 3] = (frames[at + 3] as number) + bytes;
        outbox.grew(bytes);
        return true;
      }
    }
    this.#pieceBatch = frames;
    this.#pieceAt = frames.length;
    frames.push(FRAME.chunk, this.#id, typeof value === 'string' ? value : value.slice(), bytes);
    outbox.commitPiece(bytes);
    return false;
  }

  end(): void {
    this.#channel.over(this.#id, this.#begunAt ?? NOT_TIMED);
    this.#channel.outbox.frames.push(FRAME.end, this.#id);
    this.#channel.outbox.commit(0, undefined, true);
  }

  credit(chunks: number): void {
    this.#channel.outbox.frames.push(FRAME.credit, this.#id, chunks);
    this.#channel.outbox.commit(0, undefined);
  }

  batched(items: number): void {
    this.#channel.outbox.frames.push(FRAME.batched, this.#id, items);
    this.#channel.outbox.commit(0, undefined);
  }
}
