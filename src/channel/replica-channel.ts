import type { MessagePort } from 'node:worker_threads';
import { ServeError } from '../errors.ts';
import { now } from '../time/clock.ts';
import { Capture, RESULT } from '../values/capture.ts';
import { messageOf } from '../values/describe-value.ts';
import type { Marks } from '../values/marks.ts';
import { revive } from '../values/revive.ts';
import type { ArrivedCall, CallIntake } from './call-intake.ts';
import {
  CANCEL_CODE,
  type CallMeta,
  type CancelCode,
  FRAME,
  type FrameKind,
  frameLength,
  RAN_UNITS_PER_MS,
  unpackMeta,
} from './frames.ts';
import type { EncodedValue, InboundCall, InboundListener } from './inbound-call.ts';
import type { LinkLedger } from './link-ledger.ts';
import { Outbox } from './outbox.ts';

const NOT_BEGUN = -1;
const NOT_TIMED = 0;

/** Pieces of a body are joined up to so many characters, or so many bytes, which are copied each time. */
const MAX_JOINED_TEXT = 16_384;
const MAX_JOINED_BYTES = 2_048;

/** The replica's end of a channel to one caller thread. */
export class ReplicaChannel {
  readonly callerName: string;
  /** @internal */ readonly outbox: Outbox;
  /** @internal Calls that arrived and are not over, by slot. */
  readonly open: Array<ChannelCall | undefined> = [];
  readonly #ledger: LinkLedger;
  readonly #intake: CallIntake;
  readonly #begin: (call: InboundCall, at: number) => void;
  readonly #outside: (work: () => void) => void;
  #isClosed = false;
  /** Calls that were begun. */
  #begun = 0;
  /** Calls whose last frame is in the outbox, or about to be. */
  #unposted = 0;

  /**
   * @param begin runs a call; `at` is now, or of quick calls the time of their message
   * @param onClosed the caller thread is gone
   * @param outside runs something that may not be part of the call that was begun last
   */
  constructor(
    callerName: string,
    port: MessagePort,
    ledger: LinkLedger,
    intake: CallIntake,
    begin: (call: InboundCall, at: number) => void,
    onClosed: () => void,
    outside: (work: () => void) => void = (work) => work(),
  ) {
    this.callerName = callerName;
    this.#ledger = ledger;
    this.#intake = intake;
    this.#begin = begin;
    this.#outside = outside;
    this.outbox = new Outbox(
      port,
      (frame, error) => this.#refused(frame, error),
      () => this.#posting(),
      intake.loop,
    );
    port.on('message', (frames: unknown[]) => {
      if (intake.received()) this.#receive(frames);
      else intake.defer(() => this.#receive(frames));
    });
    // Calls are lost with the message, and with them the count of what has begun: nothing is left to rely on.
    port.on('messageerror', (error) => {
      throw error;
    });
    // Comes after every message that was posted before the other end died, so the count of reserved places is final.
    port.on('close', () => {
      this.#isClosed = true;
      this.outbox.close();
      for (const call of this.open) call?.listener?.cancelled(CANCEL_CODE.cancelled);
      onClosed();
      const unused = this.#ledger.unused(this.#begun);
      if (unused > 0) intake.release(unused);
    });
  }

  /** Posts what is collected, now: before the thread ends. */
  flush(): void {
    this.outbox.flush();
  }

  /** The calls that are not over. */
  *calls(): Generator<Pick<InboundCall, 'deadline'> & { readonly isStreaming: boolean }> {
    for (const call of this.open) if (call !== undefined) yield call;
  }

  /** @internal Runs a call, unless its caller has taken it back or is gone. */
  claim(call: ChannelCall, slot: number, at: number): boolean {
    if (this.#isClosed || !this.#ledger.begin(slot, call.number)) {
      if (this.open[slot] === call) this.open[slot] = undefined;
      return false;
    }
    this.#begun++;
    this.#begin(call, at);
    return true;
  }

  /** @internal The last frame of a call goes to the outbox next. @param begunAt or `NOT_TIMED` */
  over(slot: number, begunAt: number): void {
    this.open[slot] = undefined;
    this.#unposted++;
    if (begunAt === NOT_TIMED) {
      this.#intake.ended();
      // Of quick calls the next ones may be on their way before these answers have left.
      if (this.#unposted >= this.#intake.placesAtOnce) this.#posting();
      return;
    }
    const at = now();
    this.outbox.frames.push(FRAME.ran, slot, Math.max(1, Math.ceil((at - begunAt) * RAN_UNITS_PER_MS)));
    this.#intake.ended();
    this.#intake.moved(at);
  }

  /** @internal The answer of a call is a stream from now on. */
  streams(): void {
    this.#intake.streams();
  }

  /**
   * The answers leave now, and their places are free: in one go, so that no call begins in between and keeps an answer here,
   * and a caller that has its answer finds the place free.
   */
  #posting(): void {
    const calls = this.#unposted;
    if (calls === 0) return;
    this.#unposted = 0;
    this.#intake.answered(calls);
  }

  #receive(frames: unknown[]): void {
    let mayHaveBegun = false;
    for (let at = 0; at < frames.length; ) {
      const kind = frames[at] as FrameKind;
      if (kind === FRAME.call || kind === FRAME.callExtra) {
        at = this.#arrived(kind, frames, at);
        mayHaveBegun = true;
        continue;
      }
      if (kind === FRAME.slots) this.#ledger.adopt(frames[at + 1] as SharedArrayBuffer);
      else this.#deliver(kind, frames, at, mayHaveBegun);
      at += frameLength(frames, at);
    }
  }

  /** @param mayHaveBegun whether another call may have begun in this callback */
  #deliver(kind: FrameKind, frames: readonly unknown[], at: number, mayHaveBegun: boolean): void {
    const call = this.open[frames[at + 1] as number];
    if (call === undefined) return;
    // Listeners of an abort signal are code of the user, and not of the call that came before the cancellation.
    if (mayHaveBegun) this.#outside(() => call.deliver(kind, frames, at));
    else call.deliver(kind, frames, at);
  }

  #arrived(kind: FrameKind, frames: unknown[], at: number): number {
    const id = frames[at + 1] as number;
    const argc = frames[at + 5] as number;
    const first = at + 6;
    const end = first + argc;
    const args: unknown[] = new Array(argc);
    for (let index = 0; index < argc; index++) args[index] = frames[first + index];
    const hasExtra = kind === FRAME.callExtra;
    const meta = hasExtra ? unpackMeta(frames[end]) : undefined;
    const marks = hasExtra ? (frames[end + 1] as Marks | undefined) : undefined;
    const call = new ChannelCall(this, id, frames[at + 2], frames[at + 3], frames[at + 4], args, marks, meta);
    this.open[id] = call;
    this.#intake.offer(call);
    return hasExtra ? end + 2 : end;
  }

  /** The serializer refused an answer: its call gets the reason instead. */
  #refused(frame: readonly unknown[], cause: unknown): void {
    const error = new ServeError(
      'SERVE_NOT_SERIALIZABLE',
      `the result cannot cross a thread: ${messageOf(cause)}`,
    );
    const open = this.open[frame[1] as number];
    if (open !== undefined) {
      open.listener?.refused(error);
      return;
    }
    const capture = new Capture();
    const value = capture.take(error, '', RESULT);
    this.outbox.frames.push(FRAME.error, frame[1], value, capture.marks);
    this.outbox.commit(0, undefined);
  }
}

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

class ChannelCall implements InboundCall, ArrivedCall {
  readonly number: number;
  readonly method: number;
  readonly deadline: number;
  readonly meta: CallMeta | undefined;
  listener: InboundListener | undefined = undefined;
  isStreaming = false;
  readonly #id: number;
  readonly #channel: ReplicaChannel;
  readonly #args: unknown[];
  #marks: Marks | undefined;
  /** Time of `clock.now()`; 0 = how long it runs is not measured. */
  #begunAt: number = NOT_BEGUN;
  /** The open batch that holds the last piece of a body, and where that stands in it. */
  #pieceBatch: unknown[] | undefined = undefined;
  #pieceAt = 0;
  /** Frames for it that came before it began. */
  #early: unknown[][] | undefined = undefined;

  constructor(
    channel: ReplicaChannel,
    id: number,
    number: unknown,
    method: unknown,
    deadline: unknown,
    args: unknown[],
    marks: Marks | undefined,
    meta: CallMeta | undefined,
  ) {
    this.#channel = channel;
    this.#id = id;
    this.number = number as number;
    this.method = method as number;
    this.deadline = deadline as number;
    this.#args = args;
    this.#marks = marks;
    this.meta = meta;
  }

  /** Revived when the call looks at them: what cannot be (a Request with a bad URL) fails this call and no other. */
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

  begin(at: number, isTimed: boolean): boolean {
    this.#begunAt = isTimed ? at : NOT_TIMED;
    if (!this.#channel.claim(this, this.#id, at)) return false;
    if (this.#early !== undefined)
      for (const frames of this.#early) this.deliver(frames[0] as FrameKind, frames, 0);
    return true;
  }

  /** Takes a frame that its caller sent after the call. */
  deliver(kind: FrameKind, frames: readonly unknown[], at: number): void {
    if (this.#begunAt !== NOT_BEGUN) {
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
    this.#channel.over(this.#id, this.#begunAt);
    if (marks === undefined) this.#channel.outbox.frames.push(FRAME.result, this.#id, value);
    else this.#channel.outbox.frames.push(FRAME.resultMarked, this.#id, value, marks);
    this.#channel.outbox.commit(bytes, transfer, true);
  }

  error(value: unknown, { marks, bytes, transfer }: EncodedValue): void {
    this.#channel.over(this.#id, this.#begunAt);
    this.#channel.outbox.frames.push(FRAME.error, this.#id, value, marks);
    this.#channel.outbox.commit(bytes, transfer, true);
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
    this.#channel.outbox.commit(bytes, transfer);
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
    this.#channel.over(this.#id, this.#begunAt);
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
