import { ServeError } from '../errors.ts';
import { now } from '../time/clock.ts';
import { Capture, RESULT } from '../values/capture.ts';
import { messageOf } from '../values/describe-value.ts';
import type { Marks } from '../values/marks.ts';
import type { Intake } from './call-intake.ts';
import { type ArrivalEnd, ChannelCall, NOT_TIMED } from './channel-call.ts';
import {
  CANCEL_CODE,
  FRAME,
  type FrameKind,
  frameLength,
  type PackedMeta,
  RAN_UNITS_PER_MS,
} from './frames.ts';
import type { InboundCall } from './inbound-call.ts';
import { Outbox } from './outbox.ts';
import type { BeginLedger } from './start-ledger.ts';
import type { FrameTransport } from './transport.ts';

/** The replica's end of a channel to one caller. */
export class ReplicaChannel implements ArrivalEnd {
  readonly callerName: string;
  /** @internal */ readonly outbox: Outbox;
  /** @internal Calls that arrived and have not ended, by slot. */
  readonly open: Array<ChannelCall | undefined> = [];
  readonly #ledger: BeginLedger;
  readonly #intake: Intake;
  readonly #begin: (call: ChannelCall, at: number) => void;
  readonly #reportsRuns: boolean;
  #isClosed = false;
  /** Number of calls that have begun. */
  #begun = 0;
  /** Number of calls whose last frame is in the outbox, or about to be. */
  #unposted = 0;

  /**
   * @param begin runs a call; `at` is now, or of quick calls the time of their message
   * @param onClosed the caller thread is gone
   */
  constructor(
    callerName: string,
    transport: FrameTransport,
    ledger: BeginLedger,
    intake: Intake,
    begin: (call: ChannelCall, at: number) => void,
    onClosed: () => void,
  ) {
    this.callerName = callerName;
    this.#ledger = ledger;
    this.#intake = intake;
    this.#begin = begin;
    this.#reportsRuns = transport.timesRuns !== true;
    this.outbox = new Outbox(
      transport,
      (frame, error) => this.#refused(frame, error),
      () => this.#posting(),
      intake.loop,
    );
    transport.onFrames((frames) => {
      if (intake.received()) this.#receive(frames);
      else intake.defer(() => this.#receive(frames));
    });
    // Calls are lost with the message, and with them the count of begun calls: the channel can no longer be trusted.
    transport.onUnreadable((cause) => {
      throw cause;
    });
    // The event comes after every message that was posted before the other end died, so the count of reserved places is
    // final.
    transport.onClosed(() => {
      this.#isClosed = true;
      this.outbox.close();
      for (const call of this.open) call?.listener?.cancelled(CANCEL_CODE.cancelled);
      onClosed();
      const unused = this.#ledger.unused(this.#begun);
      if (unused > 0) intake.release(unused);
    });
  }

  /** Posts the collected frames now, before the thread ends. */
  flush(): void {
    this.outbox.flush();
  }

  /** The calls that have not ended. */
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
      // The next quick calls may be on their way before these answers have left.
      if (this.#unposted >= this.#intake.placesAtOnce) this.#posting();
      return;
    }
    const at = now();
    if (this.#reportsRuns)
      this.outbox.frames.push(FRAME.ran, slot, Math.max(1, Math.ceil((at - begunAt) * RAN_UNITS_PER_MS)));
    this.#intake.ended();
    this.#intake.moved(at);
  }

  /** @internal The answer of a call is a stream from now on. */
  streams(): void {
    this.#intake.streams();
  }

  /**
   * Posts the answers and frees their places in one step, so that no call begins in between and delays an answer, and a
   * caller that has its answer finds the place free.
   */
  #posting(): void {
    const calls = this.#unposted;
    if (calls === 0) return;
    this.#unposted = 0;
    this.#intake.answered(calls);
  }

  #receive(frames: unknown[]): void {
    for (let at = 0; at < frames.length; ) {
      const kind = frames[at] as FrameKind;
      if (kind === FRAME.call || kind === FRAME.callExtra) {
        at = this.#arrived(kind, frames, at);
        continue;
      }
      if (kind === FRAME.slots) this.#ledger.adopt(frames[at + 1]);
      else this.open[frames[at + 1] as number]?.deliver(kind, frames, at);
      at += frameLength(frames, at);
    }
  }

  #arrived(kind: FrameKind, frames: unknown[], at: number): number {
    const id = frames[at + 1] as number;
    const argc = frames[at + 5] as number;
    const first = at + 6;
    const end = first + argc;
    const args: unknown[] = new Array(argc);
    for (let index = 0; index < argc; index++) args[index] = frames[first + index];
    const hasExtra = kind === FRAME.callExtra;
    const meta = hasExtra ? (frames[end] as PackedMeta) : undefined;
    const marks = hasExtra ? (frames[end + 1] as Marks | undefined) : undefined;
    const call = new ChannelCall(this, id, frames[at + 2], frames[at + 3], frames[at + 4], args, marks, meta);
    this.open[id] = call;
    this.#intake.offer(call);
    return hasExtra ? end + 2 : end;
  }

  /** The serializer refused an answer: its call gets the reason instead. */
  #refused(frame: readonly unknown[], cause: unknown): void {
    const isCoded = cause instanceof ServeError && cause.code === 'SERVE_NOT_SERIALIZABLE';
    const error = isCoded
      ? cause
      : new ServeError('SERVE_NOT_SERIALIZABLE', `the result cannot cross a thread: ${messageOf(cause)}`);
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
