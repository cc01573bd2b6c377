import { CANCEL_CODE, type CancelCode } from '../../../channel/frames.ts';
import { ServeError } from '../../../errors.ts';
import { callError } from '../../../handle/call/call-errors.ts';
import type { Destination } from '../../../handle/call/destination.ts';
import { RawCall } from '../../../handle/call/raw-call.ts';
import { ADMISSION } from '../../../handle/queue/admission-control.ts';
import type { Route } from '../../../handle/routing/route.ts';
import type { Marks } from '../../../values/marks.ts';
import type { EncodedValue } from '../../../values/transfer.ts';
import { HopWindow } from './hop-window.ts';

/** A call of a peer, as its last frame tells of it. */
export interface AnsweredCall {
  /** Id of the call on its link. */
  readonly id: number;
  /** Whether the call was sent to a replica and not taken back. */
  readonly hasBegun: boolean;
  readonly modelKey: number | undefined;
  /** Whether the result is read by others after it was delivered. */
  readonly sharesResult: boolean;
  /** Items of the batch that the call ran in; undefined outside of one. */
  readonly batchSize: number | undefined;
  /** The replica that the call was sent to. */
  readonly endpoint: Destination | undefined;
  /** Time that the call waited here, in ms. */
  readonly queuedMs: number;
  /** Time that the replica ran the call, in ms; undefined if the replica did not report it. */
  readonly ranMs: number | undefined;
}

/** The answers to a peer's call. Exactly one of `result`, `error`, `end`, `lost` and `givenBack` is the last one. */
export interface InboundAnswers {
  result(call: InboundPeerCall, value: unknown, marks: Marks | undefined): void;
  error(call: InboundPeerCall, error: unknown, marks: Marks | undefined): void;
  open(call: InboundPeerCall, head: unknown, marks: Marks | undefined): void;
  chunk(call: InboundPeerCall, value: unknown, bytes: number, marks: Marks | undefined): void;
  end(call: InboundPeerCall): void;
  credit(call: InboundPeerCall, chunks: number): void;
  /** The call had begun when its replica was lost. */
  lost(call: InboundPeerCall, error: unknown): void;
  /** The call has not begun: its instance may send it elsewhere. */
  givenBack(call: InboundPeerCall): void;
  /** The call was sent to a replica. */
  begun(): void;
  /** The call was sent to a replica, and waits here again. */
  takenBack(): void;
}

/** A call of a peer that has no last frame yet, as its link sees it. */
export interface OpenInboundCall {
  cancelled(code: CancelCode): void;
  upload?(value: unknown, encoded: EncodedValue): void;
  endUpload?(): void;
  credit?(chunks: number): void;
}

/**
 * A call of a peer on its way to a replica of this instance. A call that has not begun may move to another replica here;
 * whether a call is repeated is decided where it entered the fleet. Values pass as they crossed the link.
 */
export class InboundPeerCall extends RawCall implements OpenInboundCall, AnsweredCall {
  readonly id: number;
  readonly #answers: InboundAnswers;
  /** Set while the loss of the call's replica is handled. */
  #loss: 'begun' | 'waiting' | undefined = undefined;
  #hasBegun = false;
  /** The window of the link, for a streamed answer. */
  #window: HopWindow | undefined = undefined;

  constructor(route: Route, method: string, id: number, answers: InboundAnswers) {
    super(route, method);
    this.id = id;
    this.#answers = answers;
    // The call was admitted, and is counted, where it entered the fleet.
    this.entered(ADMISSION.inside);
  }

  /** The caller has given the call up. */
  cancelled(code: CancelCode): void {
    if (code !== CANCEL_CODE.timeout) {
      this.cancel();
      return;
    }
    const error = callError(this, 'SERVE_TIMEOUT', 'the deadline of the caller passed');
    this.cancelAs('timeout', error, code);
  }

  /** A part of the answer cannot be sent: the call fails. */
  refused(error: unknown): void {
    this.rawMarks = undefined;
    this.cancelAs('error', error, CANCEL_CODE.cancelled);
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  override sentTo(endpoint: Destination, at: number): void {
    super.sentTo(endpoint, at);
    this.#hasBegun = true;
    this.#answers.begun();
  }

  override takenBack(): void {
    super.takenBack();
    this.#waitsAgain();
  }

  override lostReplica(): void {
    super.lostReplica();
    this.#waitsAgain();
  }

  /** The reader of the answer consumed chunks. */
  credit(chunks: number): void {
    this.#creditReplica(this.#window?.consumed(chunks) ?? 0);
  }

  #creditReplica(chunks: number): void {
    if (chunks > 0) this.endpoint?.channel.credit(this, chunks);
  }

  override orphaned(started: boolean, cause: unknown): void {
    this.#loss = started ? 'begun' : 'waiting';
    super.orphaned(started, cause);
    this.#loss = undefined;
  }

  protected override onResult(value: unknown): void {
    this.#answers.result(this, value, this.rawMarks);
  }

  protected override onError(error: unknown): void {
    if (this.#loss === 'waiting' || (!this.#hasBegun && isOfInstance(error))) this.#answers.givenBack(this);
    else if (this.#loss === 'begun') this.#answers.lost(this, error);
    else this.#answers.error(this, error, this.rawMarks);
  }

  protected override onOpen(head: unknown): void {
    this.#window = new HopWindow();
    this.#answers.open(this, head, this.rawMarks);
  }

  protected override onChunk(value: unknown, bytes: number): void {
    this.#answers.chunk(this, value, bytes, this.rawMarks);
    this.#creditReplica(this.#window?.passed(bytes) ?? 0);
  }

  protected override onEnd(): void {
    this.#answers.end(this);
  }

  protected override onCredit(chunks: number): void {
    this.#answers.credit(this, chunks);
  }

  #waitsAgain(): void {
    if (!this.#hasBegun) return;
    this.#hasBegun = false;
    this.#answers.takenBack();
  }
}

/** Whether an error says that this instance cannot serve the call, which another one may. */
function isOfInstance(error: unknown): boolean {
  if (!(error instanceof ServeError)) return false;
  return ['SERVE_NOT_FOUND', 'SERVE_UNAVAILABLE', 'SERVE_DEPLOY_FAILED'].includes(error.code);
}
