import { ServeError } from '../errors.ts';
import { beginBatch } from '../time/clock.ts';
import { messageOf } from '../values/describe-value.ts';
import type { Marks } from '../values/marks.ts';
import { revive } from '../values/revive.ts';
import type { EncodedValue } from '../values/transfer.ts';
import {
  CANCEL_CODE,
  type CancelCode,
  FRAME,
  type FrameKind,
  frameLength,
  packMeta,
  RAN_UNITS_PER_MS,
} from './frames.ts';
import { type MethodTable, methodIndex, unknownMethod } from './method-names.ts';
import type { OutboundCall } from './outbound-call.ts';
import { type FrameLoop, Outbox } from './outbox.ts';
import type { StartLedger } from './start-ledger.ts';
import type { FrameTransport } from './transport.ts';

/**
 * The caller's end of a channel, whatever its transport: the class sends calls, and hands each frame that comes back to
 * its call. How places at the other end are reserved is up to the subclass.
 */
export abstract class CallerEnd {
  readonly methods: MethodTable;
  /** Set once nothing is sent any more. */
  protected isClosed = false;
  readonly #transport: FrameTransport;
  readonly #ledger: StartLedger;
  readonly #outbox: Outbox;
  /** The method that was called last, and its index. */
  #method: string | undefined = undefined;
  #index: number | undefined = undefined;
  /** Open calls by slot; the free slots are in `#free`. */
  readonly #open: Array<OutboundCall | undefined> = [];
  readonly #free: number[] = [];
  /** Set once every call has been told. */
  #isOver = false;
  readonly #over = Promise.withResolvers<void>();
  #onFreed: () => void = () => {};

  /** @param loop collects the frames of a turn. Default: the event loop of this thread */
  constructor(transport: FrameTransport, ledger: StartLedger, methods: MethodTable, loop?: FrameLoop) {
    this.#transport = transport;
    this.#ledger = ledger;
    this.methods = methods;
    this.#outbox = new Outbox(transport, (frame, error) => this.#refused(frame, error), undefined, loop);
    transport.onFrames((frames) => this.#receive(frames));
    transport.onUnreadable((cause) => this.#unreadable(cause));
    transport.onClosed(() => this.isClosed || this.onLost());
    transport.unref();
  }

  /** Gives back a reserved place whose call is not sent. */
  abstract unreserve(): void;

  /** The other end is gone. */
  protected abstract onLost(): void;

  onFreed(listener: () => void): void {
    this.#onFreed = listener;
  }

  get ended(): Promise<void> {
    return this.#over.promise;
  }

  /** Number of calls that were sent and have not ended. */
  get outstanding(): number {
    return this.#open.length - this.#free.length;
  }

  /** Sends a call for which a place was reserved. */
  send(call: OutboundCall): void {
    const method = this.#indexOf(call.method);
    if (method === undefined) {
      this.unreserve();
      failNow(call, unknownMethod(call, this.methods));
      return;
    }
    const slot = this.#free.pop() ?? this.#open.length;
    if (!this.#ledger.hasSlot(slot)) this.#addSlots();
    this.#open[slot] = call;
    call.slot = slot;
    const { args, meta, marks } = call;
    this.#ledger.sent(slot, call.number);
    const frames = this.#outbox.frames;
    const extra = meta !== undefined || marks !== undefined;
    frames.push(
      extra ? FRAME.callExtra : FRAME.call,
      slot,
      call.number,
      method,
      Math.ceil(call.expiresAt),
      args.length,
    );
    for (let index = 0; index < args.length; index++) frames.push(args[index]);
    if (extra) frames.push(packMeta(meta), marks);
    this.#outbox.commit(call.bytes, call.transfer && this.moved(call));
  }

  #indexOf(method: string): number | undefined {
    if (method === this.#method) return this.#index;
    this.#method = method;
    this.#index = methodIndex(method, this.methods);
    return this.#index;
  }

  /**
   * Takes back a call that the replica has not begun: the call never runs there, and its place is free.
   * @returns false if the replica has begun the call, or the call has ended
   */
  takeBack(call: OutboundCall): boolean {
    const { slot } = call;
    if (slot === -1 || !this.#ledger.takeBack(slot, call.number)) return false;
    this.#finish(call);
    this.unreserve();
    return true;
  }

  /** The calls that the replica has not begun; a snapshot, since each may begin at any time. */
  *waiting(): Generator<OutboundCall> {
    for (const [slot, call] of this.#open.entries())
      if (call !== undefined && this.#ledger.isWaiting(slot, call.number)) yield call;
  }

  /** The calls that the replica has begun and not answered. Answers that have arrived are read first. */
  *running(): Generator<OutboundCall> {
    this.#readRest();
    for (const [slot, call] of this.#open.entries())
      if (call !== undefined && !this.#ledger.isWaiting(slot, call.number)) yield call;
  }

  /**
   * Ends a call that its caller has given up. A call that has begun stays open, and its place taken, until the
   * replica's last frame for it.
   */
  cancel(call: OutboundCall, code: CancelCode): void {
    if (call.slot === -1 || this.isClosed) return;
    if (this.takeBack(call)) {
      this.#onFreed();
      return;
    }
    this.#outbox.frames.push(FRAME.cancel, call.slot, code);
    this.#outbox.commit(0, undefined);
  }

  /** Sends a chunk of the body that is uploaded along with the call. */
  upload(call: OutboundCall, chunk: unknown, encoded: EncodedValue): void {
    if (call.slot === -1 || this.isClosed) return;
    this.#outbox.frames.push(FRAME.chunk, call.slot, chunk, encoded.bytes);
    this.#outbox.commitChunk(encoded.bytes, encoded.transfer);
  }

  endUpload(call: OutboundCall): void {
    if (call.slot === -1 || this.isClosed) return;
    this.#outbox.frames.push(FRAME.end, call.slot);
    this.#outbox.commit(0, undefined);
  }

  /** The reader of a stream consumed chunks. */
  credit(call: OutboundCall, chunks: number): void {
    if (call.slot === -1 || this.isClosed) return;
    this.#outbox.frames.push(FRAME.credit, call.slot, chunks);
    this.#outbox.commit(0, undefined);
  }

  /** Ends the link: every open call learns whether it had started. Idempotent. */
  close(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#readRest();
    this.shut();
    this.onClosing();
    this.orphanAll(error);
    this.#over.resolve();
  }

  /** No open call is answered any more: each learns whether it had started. */
  protected orphanAll(error: unknown): void {
    this.#free.length = 0;
    for (const call of this.#open.splice(0)) {
      if (call === undefined) continue;
      const hasBegun = !this.#ledger.takeBack(call.slot, call.number);
      call.slot = -1;
      call.orphaned(hasBegun, error);
    }
  }

  /** Ends an open call without an answer. @returns the call; undefined if it has ended */
  protected end(slot: number): OutboundCall | undefined {
    const call = this.#open[slot];
    if (call !== undefined) this.#finish(call);
    return call;
  }

  /** Names a replica of another instance by what its answers say of it: a relay says the name. */
  protected replicaOf(said: unknown): string | undefined {
    return typeof said === 'string' ? said : undefined;
  }

  /** Places may have become free. */
  protected freed(): void {
    this.#onFreed();
  }

  /** The memory that leaves this thread with a call. */
  protected moved({ transfer }: OutboundCall): ArrayBuffer[] | undefined {
    return transfer;
  }

  /** Hook: nothing is sent from now on, and no call has been told yet. */
  protected onClosing(): void {}

  /** Stops sending and receiving. */
  protected shut(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#outbox.close();
    this.#transport.close();
  }

  /** The other end is gone: calls that it had not begun go elsewhere at once. */
  protected orphanWaiting(): void {
    for (const [slot, call] of this.#open.entries()) {
      if (call === undefined || !this.#ledger.takeBack(slot, call.number)) continue;
      this.#open[slot] = undefined;
      call.slot = -1;
      call.orphaned(false, undefined);
    }
  }

  /** Reads the last answers, which have arrived already: the news of a replica's end can overtake them. */
  #readRest(): void {
    if (this.isClosed) return;
    for (const frames of this.#transport.takeRest()) this.#receive(frames);
  }

  /**
   * A message of the replica could not be read, and which answers it held is unknown. Every open call fails; calls that
   * still run are cancelled, and keep their slots until their last frames.
   */
  #unreadable(cause: unknown): void {
    for (const call of this.#open) {
      if (call === undefined) continue;
      this.cancel(call, CANCEL_CODE.cancelled);
      failNow(call, notSerializable(call, 'an answer of the replica could not be read', cause));
    }
  }

  #receive(frames: unknown[]): void {
    beginBatch();
    for (let at = 0; at < frames.length; ) {
      const kind = frames[at] as FrameKind;
      const call = this.#open[frames[at + 1] as number];
      if (call !== undefined) this.#deliver(kind, call, frames, at);
      at += frameLength(frames, at);
    }
    this.#onFreed();
  }

  #deliver(kind: FrameKind, call: OutboundCall, frames: unknown[], at: number): void {
    switch (kind) {
      case FRAME.result:
        this.#finish(call);
        call.succeeded(frames[at + 2]);
        return;
      case FRAME.resultMarked:
        this.#finish(call);
        this.#revived(call, frames[at + 2], frames[at + 3], (value, raw) => call.succeeded(value, raw));
        return;
      case FRAME.error:
        this.#finish(call);
        this.#revived(call, frames[at + 2], frames[at + 3], (error, raw) => call.failed(error, raw));
        return;
      case FRAME.open:
        this.#revived(call, frames[at + 2], frames[at + 3], (head, raw) => call.opened(head, raw));
        return;
      case FRAME.chunk:
        call.chunk(frames[at + 2], frames[at + 3] as number);
        return;
      case FRAME.chunkMarked: {
        const bytes = frames[at + 3] as number;
        this.#revived(call, frames[at + 2], frames[at + 4], (chunk, raw) => call.chunk(chunk, bytes, raw));
        return;
      }
      case FRAME.end:
        this.#finish(call);
        call.ended();
        return;
      case FRAME.credit:
        call.credited(frames[at + 2] as number);
        return;
      case FRAME.batched:
        call.batchSize = frames[at + 2] as number;
        return;
      case FRAME.ran:
        call.ranMs = (frames[at + 2] as number) / RAN_UNITS_PER_MS;
        return;
      case FRAME.answer:
        this.#finish(call);
        this.#ranAt(call, frames, at + 3);
        call.succeeded(frames[at + 2]);
        return;
      case FRAME.answerMarked:
        this.#finish(call);
        this.#ranAt(call, frames, at + 4);
        this.#revived(call, frames[at + 2], frames[at + 3], (value, raw) => call.succeeded(value, raw));
        return;
      case FRAME.ranAt:
        this.#ranAt(call, frames, at + 2);
        return;
      case FRAME.lost:
        this.#finish(call);
        this.#revived(call, frames[at + 2], frames[at + 3], (error) => call.orphaned(true, error));
        return;
      case FRAME.returned:
        this.#finish(call);
        // Buffers that moved with a call whose values hold no memory belong to no value.
        if (frames[at + 2] === undefined) call.transfer = undefined;
        else call.takeAgain(frames[at + 2], frames[at + 3], frames[at + 4]);
        call.returned();
        return;
      default:
        throw new TypeError(`a replica sent frame kind ${kind}`);
    }
  }

  /**
   * Hands on a value with its stand-ins replaced; where the revival fails, such as without a router, the call fails.
   */
  #revived(
    call: OutboundCall,
    value: unknown,
    marks: unknown,
    then: (value: unknown, raw?: Marks) => void,
  ): void {
    if (marks === undefined) {
      then(value);
      return;
    }
    if (call.wantsRaw) {
      then(value, marks as Marks);
      return;
    }
    let revived: unknown;
    try {
      revived = revive(value, marks as Marks);
    } catch (cause) {
      this.cancel(call, CANCEL_CODE.cancelled);
      call.failed(notSerializable(call, messageOf(cause), cause));
      return;
    }
    then(revived);
  }

  /** @param at index of the replica, behind which the times stand */
  #ranAt(call: OutboundCall, frames: readonly unknown[], at: number): void {
    const ran = frames[at + 2] as number;
    if (ran !== 0) call.ranMs = ran / RAN_UNITS_PER_MS;
    const waitedMs = (frames[at + 1] as number) / RAN_UNITS_PER_MS;
    call.peerRun = { replica: this.replicaOf(frames[at]), waitedMs };
  }

  #finish(call: OutboundCall): void {
    this.#open[call.slot] = undefined;
    this.#free.push(call.slot);
    call.slot = -1;
  }

  /** The serializer refused a frame: its call fails, and if the frame was the call itself, its place is given back. */
  #refused(frame: readonly unknown[], cause: unknown): void {
    const call = this.#open[frame[1] as number];
    if (call === undefined) return;
    const kind = frame[0];
    if (kind === FRAME.call || kind === FRAME.callExtra) this.takeBack(call);
    else this.cancel(call, CANCEL_CODE.cancelled);
    failNow(call, cause instanceof ServeError ? cause : notSerializable(call, messageOf(cause), cause));
    this.#onFreed();
  }

  /** Announces new slots before the first call that uses them. */
  #addSlots(): void {
    this.#outbox.frames.push(FRAME.slots, this.#ledger.grow());
    this.#outbox.commit(0, undefined);
  }
}

/** Fails a call from this side, outside a batch of answers, so the batch's time reading is outdated. */
function failNow(call: OutboundCall, error: unknown): void {
  beginBatch();
  call.failed(error);
}

function notSerializable(call: OutboundCall, reason: string, cause: unknown): ServeError {
  return new ServeError('SERVE_NOT_SERIALIZABLE', `${call.method}: ${reason}`, { cause });
}
