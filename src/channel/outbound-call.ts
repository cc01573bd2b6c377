import type { AsyncResource } from 'node:async_hooks';
import { Expiring } from '../time/timer-wheel.ts';
import type { Marks } from '../values/marks.ts';
import { buffersIn, LARGE_BYTES } from '../values/memory.ts';
import type { CallMeta } from './frames.ts';

/** A part of an uploaded body. */
export interface UploadedChunk {
  readonly value: unknown;
  readonly bytes: number;
}

/** Place and times of a call that ran in another instance. */
export interface PeerRun {
  /** Undefined if the instance has not described the replica. */
  readonly replica: string | undefined;
  /** Time that the call waited there for a replica, in ms. */
  readonly waitedMs: number;
}

/**
 * A call as its channel sees it: the data to send, and the events to report. It is the caller's side of every call;
 * handle/call/call.ts adds its lifecycle (queue, deadline, cancellation).
 */
export abstract class OutboundCall extends Expiring {
  /** Number of the call in this thread; request ids are made from it. */
  number = 0;
  method = '';
  /** Captured arguments. */
  args: readonly unknown[] = NO_ARGS;
  marks: Marks | undefined = undefined;
  transfer: ArrayBuffer[] | undefined = undefined;
  bytes = 0;
  meta: CallMeta | undefined = undefined;
  /** Items of the batch that the call ran in; undefined outside of one. */
  batchSize: number | undefined = undefined;
  /** Time that the replica ran the call, in ms; undefined if the replica did not report it. */
  ranMs: number | undefined = undefined;
  /** Set by the answer of a call that ran in another instance. */
  peerRun: PeerRun | undefined = undefined;

  /**
   * The async context in which the call was made, kept where more than a promise continues in it; undefined = not kept.
   */
  origin: AsyncResource | undefined = undefined;

  /**
   * Parts of the body that were uploaded before the call was given back: they are uploaded again when it is sent again;
   * undefined marks the body's end.
   */
  uploaded: Array<UploadedChunk | undefined> | undefined = undefined;

  /** @internal Index in the channel's table of open calls; −1 = in none. */ slot = -1;

  /** Prefix of the request ids of this thread. */
  abstract readonly callerName: string;
  /** Time at which the call was last sent, of `clock.now()`. */
  abstract readonly sentAt: number;

  /** Name of the deployment that is called; empty where this side does not know it. */
  get deployment(): string {
    return '';
  }

  get requestId(): string {
    return this.meta?.requestId ?? `${this.callerName}-${this.number}`;
  }

  /**
   * Whether the call only passes answers on: values keep the form in which they crossed the thread, with the marks of
   * their stand-ins, and no user object is created here.
   */
  get wantsRaw(): boolean {
    return false;
  }

  /** Whether the call may run more than once: its memory is needed until it is answered. */
  get isIdempotent(): boolean {
    return false;
  }

  /** Takes captured values whose memory is the call's own: of a relay that gives the call back, or copies. */
  takeAgain(args: unknown, meta: unknown, marks: unknown): void {
    this.args = args as unknown[];
    this.meta = meta as CallMeta | undefined;
    this.marks = marks as Marks | undefined;
    const large = buffersIn([args, meta], LARGE_BYTES);
    this.transfer = large.length > 0 ? large : undefined;
  }

  /** The one result of a unary call. @param marks where the call wants raw values */
  abstract succeeded(value: unknown, marks?: Marks): void;
  /** The call failed, in user code or on the way. */
  abstract failed(error: unknown, marks?: Marks): void;
  /** The result is a stream; `head` comes before its chunks. */
  abstract opened(head: unknown, marks?: Marks): void;
  abstract chunk(value: unknown, bytes: number, marks?: Marks): void;
  abstract ended(): void;
  /** The replica consumed chunks of the uploaded body. */
  abstract credited(chunks: number): void;
  /** The call has certainly not begun, and is given back: it may go elsewhere as if it had never been sent. */
  returned(): void {
    this.orphaned(false, undefined);
  }

  /** The replica is gone. `started` is false if the replica had certainly not begun the call. */
  abstract orphaned(started: boolean, error: unknown): void;
}

const NO_ARGS: readonly unknown[] = [];
