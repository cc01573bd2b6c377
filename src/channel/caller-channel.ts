import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { ServeError } from '../errors.ts';
import { REPLICA_STATE, RESERVED, type ReplicaLoad, type Reservation } from '../load/load-table.ts';
import type { ReplicaModels } from '../load/model-table.ts';
import type { ReplicaTally } from '../load/replica-tally.ts';
import { beginBatch } from '../time/clock.ts';
import { type Limit, limit } from '../time/timeout.ts';
import { messageOf } from '../values/describe-value.ts';
import type { Marks } from '../values/marks.ts';
import { revive } from '../values/revive.ts';
import type { CallChannel } from './call-channel.ts';
import {
  CANCEL_CODE,
  type CancelCode,
  FRAME,
  type FrameKind,
  frameLength,
  packMeta,
  RAN_UNITS_PER_MS,
} from './frames.ts';
import type { EncodedValue } from './inbound-call.ts';
import type { LinkLedger } from './link-ledger.ts';
import { type MethodTable, methodIndex, unknownMethod } from './method-names.ts';
import type { OutboundCall } from './outbound-call.ts';
import { Outbox } from './outbox.ts';

/** How long the news of what a replica died of may take, in ms, where nothing is said. */
const DEATH_REASON_MS = 25;

/** What the caller's end knows of the replica. */
export interface RemoteReplica {
  readonly load: ReplicaLoad;
  readonly tally: ReplicaTally;
  readonly methods: MethodTable;
}

/**
 * The caller's end of a channel to one replica. It reserves, sends, and hands each frame that comes back to its call.
 */
export class CallerChannel implements CallChannel {
  readonly isInline = false;
  readonly tier = 'local';
  readonly tally: ReplicaTally;
  readonly #load: ReplicaLoad;
  readonly #ledger: LinkLedger;
  readonly #deathReasonMs: number;
  readonly #port: MessagePort;
  readonly #outbox: Outbox;
  readonly #methods: MethodTable;
  /** The method that was called last, and its index. */
  #method: string | undefined = undefined;
  #index: number | undefined = undefined;
  readonly #onClosed: () => void;
  /** Open calls by slot; free slots are chained through `#free`. */
  readonly #open: Array<OutboundCall | undefined> = [];
  readonly #free: number[] = [];
  /** Nothing is sent any more. */
  #closed = false;
  /** Every call was told. */
  #isOver = false;
  readonly #over = Promise.withResolvers<void>();
  #deathReason: Limit | undefined = undefined;
  #onFreed: () => void = () => {};

  /**
   * @param onClosed the replica is gone: nothing can be sent any more
   * @param deathReasonMs how long calls that had started wait to hear what the replica died of
   */
  constructor(
    port: MessagePort,
    ledger: LinkLedger,
    { load, tally, methods }: RemoteReplica,
    onClosed: () => void,
    deathReasonMs: number = DEATH_REASON_MS,
  ) {
    this.#deathReasonMs = deathReasonMs;
    this.#port = port;
    this.#load = load;
    this.#ledger = ledger;
    this.tally = tally;
    this.#methods = methods;
    this.#onClosed = onClosed;
    this.#outbox = new Outbox(port, (frame, error) => this.#refused(frame, error));
    port.on('message', (frames: unknown[]) => this.#receive(frames));
    port.on('messageerror', (error) => this.#unreadable(error));
    port.on('close', () => this.#lost());
    port.unref();
  }

  get ended(): Promise<void> {
    return this.#over.promise;
  }

  get methods(): MethodTable {
    return this.#methods;
  }

  onFreed(listener: () => void): void {
    this.#onFreed = listener;
  }

  get ongoing(): number {
    return this.#load.ongoing;
  }

  get limit(): number {
    return this.#load.limit;
  }

  get free(): number {
    return Math.max(0, this.#load.limit - this.#load.ongoing);
  }

  get models(): ReplicaModels {
    return this.#load.models;
  }

  get served(): number {
    return this.#load.served;
  }

  /** Calls that were sent and are not over. */
  get outstanding(): number {
    return this.#open.length - this.#free.length;
  }

  /** Whether the replica's loop has been held for longer than a moment, or is stuck. */
  isHeld(at: number): boolean {
    return this.#load.isHeld(at) || this.isStuck;
  }

  get isStuck(): boolean {
    return this.#load.state === REPLICA_STATE.stuck;
  }

  /** How its calls hold the loop of the replica. */
  get holding(): ReplicaLoad {
    return this.#load;
  }

  room(at: number): Reservation {
    return this.#closed ? RESERVED.gone : this.#load.room(at);
  }

  reserve(at: number): Reservation {
    return this.#closed ? RESERVED.gone : this.#load.reserve(this.#ledger, at);
  }

  reserveToWait(): Reservation {
    return this.#closed ? RESERVED.gone : this.#load.reserveToWait(this.#ledger);
  }

  reserveBeyondLimit(): Reservation {
    return this.#closed ? RESERVED.gone : this.#load.reserveBeyondLimit(this.#ledger);
  }

  /** Gives a place back whose call is not sent. */
  unreserve(): void {
    this.#load.unreserve(this.#ledger);
  }

  /** Sends a call for which a place was reserved. */
  send(call: OutboundCall): void {
    const method = this.#indexOf(call.method);
    if (method === undefined) {
      this.unreserve();
      failNow(call, unknownMethod(call.method, this.#methods));
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
    this.#outbox.commit(call.bytes, call.transfer);
  }

  #indexOf(method: string): number | undefined {
    if (method === this.#method) return this.#index;
    this.#method = method;
    this.#index = methodIndex(method, this.#methods);
    return this.#index;
  }

  /**
   * Takes a call back that the replica has not begun: it never will, and its place is free.
   * @returns false if the replica has begun it, or it is over
   */
  takeBack(call: OutboundCall): boolean {
    const { slot } = call;
    if (slot === -1 || !this.#ledger.takeBack(slot, call.number)) return false;
    this.#finish(call);
    this.unreserve();
    return true;
  }

  /** The calls that the replica has not begun. A look: each may begin at any time. */
  *waiting(): Generator<OutboundCall> {
    for (const [slot, call] of this.#open.entries())
      if (call !== undefined && this.#ledger.isWaiting(slot, call.number)) yield call;
  }

  /** The calls that the replica has begun and not answered. Answers that are here already are read first. */
  *running(): Generator<OutboundCall> {
    this.#readRest();
    for (const [slot, call] of this.#open.entries())
      if (call !== undefined && !this.#ledger.isWaiting(slot, call.number)) yield call;
  }

  /**
   * Ends a call that its caller is not interested in any more. One that has begun stays open (and its place taken) until the
   * replica's last frame for it.
   */
  cancel(call: OutboundCall, code: CancelCode): void {
    if (call.slot === -1 || this.#closed) return;
    if (this.takeBack(call)) {
      this.#onFreed();
      return;
    }
    this.#outbox.frames.push(FRAME.cancel, call.slot, code);
    this.#outbox.commit(0, undefined);
  }

  /** A chunk of the body that is uploaded along with the call. */
  upload(call: OutboundCall, chunk: unknown, encoded: EncodedValue): void {
    if (call.slot === -1 || this.#closed) return;
    this.#outbox.frames.push(FRAME.chunk, call.slot, chunk, encoded.bytes);
    this.#outbox.commit(encoded.bytes, encoded.transfer);
  }

  endUpload(call: OutboundCall): void {
    if (call.slot === -1 || this.#closed) return;
    this.#outbox.frames.push(FRAME.end, call.slot);
    this.#outbox.commit(0, undefined);
  }

  /** The reader of a stream consumed chunks. */
  credit(call: OutboundCall, chunks: number): void {
    if (call.slot === -1 || this.#closed) return;
    this.#outbox.frames.push(FRAME.credit, call.slot, chunks);
    this.#outbox.commit(0, undefined);
  }

  /** Ends the link: every open call learns whether it had started. Idempotent. */
  close(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#readRest();
    this.#shut();
    this.#deathReason?.cancel();
    this.#onClosed();
    for (const call of this.#open.splice(0)) {
      if (call === undefined) continue;
      const hasBegun = !this.#ledger.takeBack(call.slot, call.number);
      call.slot = -1;
      call.orphaned(hasBegun, error);
    }
    this.#over.resolve();
  }

  /**
   * The port closed: the replica is gone. What had not started goes elsewhere at once; the others wait for the host to
   * say what the thread died of, which comes a moment later.
   */
  #lost(): void {
    if (this.#closed) return;
    this.#shut();
    for (const [slot, call] of this.#open.entries()) {
      if (call === undefined || !this.#ledger.takeBack(slot, call.number)) continue;
      this.#open[slot] = undefined;
      call.slot = -1;
      call.orphaned(false, undefined);
    }
    this.#deathReason = limit(this.#deathReasonMs, () => this.close(undefined));
  }

  /** The news of a replica's end can overtake its last answers: they are in this port's queue already. */
  #readRest(): void {
    if (this.#closed) return;
    for (let next = nextMessage(this.#port); next !== undefined; next = nextMessage(this.#port)) {
      this.#receive(next.message as unknown[]);
    }
  }

  /**
   * A message of the replica could not be read, and nobody knows which answers were in it. Every open call fails; those
   * that still run are cancelled, and keep their slots until their last frames.
   */
  #unreadable(cause: unknown): void {
    for (const call of this.#open) {
      if (call === undefined) continue;
      this.cancel(call, CANCEL_CODE.cancelled);
      failNow(call, notSerializable(call, 'an answer of the replica could not be read', cause));
    }
  }

  #shut(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#outbox.close();
    this.#port.close();
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
        this.#revived(call, frames[at + 2], frames[at + 3], (value) => call.succeeded(value));
        return;
      case FRAME.error:
        this.#finish(call);
        this.#revived(call, frames[at + 2], frames[at + 3], (error) => call.failed(error));
        return;
      case FRAME.open:
        this.#revived(call, frames[at + 2], frames[at + 3], (head) => call.opened(head));
        return;
      case FRAME.chunk:
        call.chunk(frames[at + 2], frames[at + 3] as number);
        return;
      case FRAME.chunkMarked: {
        const bytes = frames[at + 3] as number;
        this.#revived(call, frames[at + 2], frames[at + 4], (chunk) => call.chunk(chunk, bytes));
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
      default:
        throw new TypeError(`a replica sent frame kind ${kind}`);
    }
  }

  /** Hands on a value with its stand-ins replaced; where that fails, such as without a router, so does the call. */
  #revived(call: OutboundCall, value: unknown, marks: unknown, then: (value: unknown) => void): void {
    let revived = value;
    if (marks !== undefined) {
      try {
        revived = revive(value, marks as Marks);
      } catch (cause) {
        this.cancel(call, CANCEL_CODE.cancelled);
        call.failed(notSerializable(call, messageOf(cause), cause));
        return;
      }
    }
    then(revived);
  }

  #finish(call: OutboundCall): void {
    this.#open[call.slot] = undefined;
    this.#free.push(call.slot);
    call.slot = -1;
  }

  /** The serializer refused a frame: its call fails, and if it was the call itself, its place is given back. */
  #refused(frame: readonly unknown[], cause: unknown): void {
    const call = this.#open[frame[1] as number];
    if (call === undefined) return;
    const kind = frame[0];
    if (kind === FRAME.call || kind === FRAME.callExtra) this.takeBack(call);
    else this.cancel(call, CANCEL_CODE.cancelled);
    failNow(call, notSerializable(call, messageOf(cause), cause));
    this.#onFreed();
  }

  /** Precedes the first call that uses the new slots. */
  #addSlots(): void {
    this.#outbox.frames.push(FRAME.slots, this.#ledger.grow());
    this.#outbox.commit(0, undefined);
  }
}

/** Fails a call from this side, outside a batch of answers: the time of the last batch is long ago. */
function failNow(call: OutboundCall, error: unknown): void {
  beginBatch();
  call.failed(error);
}

function notSerializable(call: OutboundCall, reason: string, cause: unknown): ServeError {
  return new ServeError('SERVE_NOT_SERIALIZABLE', `${call.method}: ${reason}`, { cause });
}

/** What waits in the port's queue; undefined where nothing does, or it cannot be read. */
function nextMessage(port: MessagePort): { message: unknown } | undefined {
  try {
    return receiveMessageOnPort(port);
  } catch {
    return undefined;
  }
}
