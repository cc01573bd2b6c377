import type { MessagePort } from 'node:worker_threads';
import { ServeError } from '../errors.ts';
import { Capture, RESULT } from '../values/capture.ts';
import type { Marks } from '../values/marks.ts';
import { revive } from '../values/revive.ts';
import {
  CANCEL_CODE,
  type CallMeta,
  type CancelCode,
  FRAME,
  type FrameKind,
  frameLength,
  unpackMeta,
} from './frames.ts';
import type { Cargo, InboundCall, InboundListener } from './inbound-call.ts';
import type { LinkLedger } from './load-table.ts';
import { Outbox } from './outbox.ts';

/** The replica's end of a channel to one caller thread. */
export class ReplicaChannel {
  readonly callerName: string;
  /** @internal */ readonly outbox: Outbox;
  /** @internal Open calls by id. */
  readonly open: Array<ChannelCall | undefined> = [];
  readonly #ledger: LinkLedger;
  readonly #begin: (call: InboundCall) => void;

  /**
   * @param begin starts a call
   * @param onClosed the caller thread is gone; `outstanding` places were reserved by it and never used
   */
  constructor(
    callerName: string,
    port: MessagePort,
    ledger: LinkLedger,
    begin: (call: InboundCall) => void,
    onClosed: (outstanding: number) => void,
  ) {
    this.callerName = callerName;
    this.#ledger = ledger;
    this.#begin = begin;
    this.outbox = new Outbox(port, (frame, error) => this.#refused(frame, error));
    port.on('message', (frames: unknown[]) => this.#receive(frames));
    // Calls are lost with the message, and with them the count of what was admitted: nothing is left to rely on.
    port.on('messageerror', (error) => {
      throw error;
    });
    // Comes after every message that was posted before the other end died, so `outstanding` is final.
    port.on('close', () => {
      this.outbox.close();
      for (const call of this.open) call?.listener?.cancelled(CANCEL_CODE.cancelled);
      onClosed(this.#ledger.outstanding);
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

  #receive(frames: unknown[]): void {
    for (let at = 0; at < frames.length; ) {
      const kind = frames[at] as FrameKind;
      if (kind === FRAME.call || kind === FRAME.callExtra) {
        at = this.#admit(kind, frames, at);
        continue;
      }
      const listener = this.open[frames[at + 1] as number]?.listener;
      if (listener !== undefined) deliver(kind, listener, frames, at);
      at += frameLength(frames, at);
    }
  }

  #admit(kind: FrameKind, frames: unknown[], at: number): number {
    const id = frames[at + 1] as number;
    const argc = frames[at + 5] as number;
    const first = at + 6;
    const end = first + argc;
    const args: unknown[] = new Array(argc);
    for (let index = 0; index < argc; index++) args[index] = frames[first + index];
    const hasExtra = kind === FRAME.callExtra;
    const next = hasExtra ? end + 2 : end;
    // The caller has given the call up.
    if (!this.#ledger.admit()) return next;
    const meta = hasExtra ? unpackMeta(frames[end]) : undefined;
    const marks = hasExtra ? (frames[end + 1] as Marks | undefined) : undefined;
    const call = new ChannelCall(this, id, frames[at + 2], frames[at + 3], frames[at + 4], args, marks, meta);
    this.open[id] = call;
    this.#begin(call);
    return next;
  }

  /** The serializer refused an answer: its call gets the reason instead. */
  #refused(frame: readonly unknown[], cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new ServeError('SERVE_NOT_SERIALIZABLE', `the result cannot cross a thread: ${reason}`);
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

function deliver(kind: FrameKind, listener: InboundListener, frames: unknown[], at: number): void {
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

class ChannelCall implements InboundCall {
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

  get callerName(): string {
    return this.#channel.callerName;
  }

  get isByReference(): boolean {
    return false;
  }

  result(value: unknown, { marks, bytes, transfer }: Cargo): void {
    this.#channel.open[this.#id] = undefined;
    if (marks === undefined) this.#channel.outbox.frames.push(FRAME.result, this.#id, value);
    else this.#channel.outbox.frames.push(FRAME.resultMarked, this.#id, value, marks);
    this.#channel.outbox.commit(bytes, transfer);
  }

  error(value: unknown, { marks, bytes, transfer }: Cargo): void {
    this.#channel.open[this.#id] = undefined;
    this.#channel.outbox.frames.push(FRAME.error, this.#id, value, marks);
    this.#channel.outbox.commit(bytes, transfer);
  }

  open(value: unknown, { marks, bytes, transfer }: Cargo): void {
    this.isStreaming = true;
    this.#channel.outbox.frames.push(FRAME.open, this.#id, value, marks);
    this.#channel.outbox.commit(bytes, transfer);
  }

  chunk(value: unknown, { marks, bytes, transfer }: Cargo): void {
    if (marks === undefined) this.#channel.outbox.frames.push(FRAME.chunk, this.#id, value, bytes);
    else this.#channel.outbox.frames.push(FRAME.chunkMarked, this.#id, value, bytes, marks);
    this.#channel.outbox.commit(bytes, transfer);
  }

  end(): void {
    this.#channel.open[this.#id] = undefined;
    this.#channel.outbox.frames.push(FRAME.end, this.#id);
    this.#channel.outbox.commit(0, undefined);
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
