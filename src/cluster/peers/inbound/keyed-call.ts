import { CANCEL_CODE, type CancelCode } from '../../../channel/frames.ts';
import type { CallOwner } from '../../../handle/call/call.ts';
import { callError } from '../../../handle/call/call-errors.ts';
import type { Destination } from '../../../handle/call/destination.ts';
import type { CallWithKey } from '../../../handle/policies/keyed-runs.ts';
import { Expiring, wheel } from '../../../time/timer-wheel.ts';
import type { Marks } from '../../../values/marks.ts';
import type { Packed } from '../../../values/pack.ts';
import type { AnsweredCall, InboundPeerCall, OpenInboundCall } from './inbound-call.ts';

/** Answers calls over the link by which they came. Exactly one of `result`, `error`, `lost` and `givenBack` is the last one. */
export interface KeyedAnswers {
  result(call: AnsweredCall, value: unknown, marks: Marks | undefined): void;
  error(call: AnsweredCall, error: unknown, marks: Marks | undefined): void;
  /** The call had begun when its replica was lost. */
  lost(call: AnsweredCall, error: unknown): void;
  /** The call has not begun: its instance may send it elsewhere. */
  givenBack(call: AnsweredCall): void;
  begun(): void;
  takenBack(): void;
}

/** The execution that a call waits for. */
export interface AwaitedRun {
  readonly call: InboundPeerCall;
  /** A waiting call was given up. */
  left(waiting: KeyedPeerCall, code: CancelCode): void;
}

/**
 * A call of a peer with an idempotency key. It is not sent itself but waits for the one execution under its key, together with
 * the calls of other peers.
 */
export class KeyedPeerCall extends Expiring implements CallWithKey, OpenInboundCall, AnsweredCall {
  /** The call as it arrived, which an execution is made from. */
  readonly model: InboundPeerCall;
  readonly sharesResult = true;
  readonly #answers: KeyedAnswers;
  #run: AwaitedRun | undefined = undefined;
  #hasBegun = false;
  #isSettled = false;

  /** @param deadlineAt time of `clock.now()`; 0 = none */
  constructor(model: InboundPeerCall, answers: KeyedAnswers, deadlineAt: number) {
    super();
    this.model = model;
    this.#answers = answers;
    if (deadlineAt > 0) wheel.add(this, deadlineAt);
  }

  get route(): CallOwner {
    return this.model.route;
  }

  get method(): string {
    return this.model.method;
  }

  get id(): number {
    return this.model.id;
  }

  get args(): readonly unknown[] {
    return this.model.args;
  }

  get marks(): Marks | undefined {
    return this.model.marks;
  }

  get tenant(): string {
    return this.model.tenant;
  }

  get requestId(): string {
    return this.model.requestId;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get modelKey(): number | undefined {
    return this.#run?.call.modelKey;
  }

  get batchSize(): number | undefined {
    return this.#run?.call.batchSize;
  }

  get endpoint(): Destination | undefined {
    return this.#run?.call.endpoint;
  }

  get queuedMs(): number {
    return this.#run?.call.queuedMs ?? 0;
  }

  get ranMs(): number | undefined {
    return this.#run?.call.ranMs;
  }

  waitFor(run: AwaitedRun): void {
    this.#run = run;
  }

  /** The execution was sent to a replica. */
  begun(): void {
    this.#hasBegun = true;
    this.#answers.begun();
  }

  /** The execution was sent to a replica, and waits here again. */
  takenBack(): void {
    this.#hasBegun = false;
    this.#answers.takenBack();
  }

  succeeded({ value, marks }: Packed): void {
    if (this.#settle()) this.#answers.result(this, value, marks);
  }

  failed(error: unknown, marks?: Marks): void {
    if (this.#settle()) this.#answers.error(this, error, marks);
  }

  reject(error: unknown): void {
    this.failed(error);
  }

  /** The replica of the execution was lost. */
  lost(error: unknown): void {
    if (this.#settle()) this.#answers.lost(this, error);
  }

  /** The execution has not begun, and will not. */
  givenBack(): void {
    if (this.#settle()) this.#answers.givenBack(this);
  }

  /** The caller has given the call up. */
  cancelled(code: CancelCode): void {
    const error =
      code === CANCEL_CODE.timeout
        ? callError(this, 'SERVE_TIMEOUT', 'the deadline of the caller passed')
        : callError(this, 'SERVE_CANCELLED', 'the call was cancelled');
    this.failed(error);
    this.#run?.left(this, code);
  }

  override expire(): void {
    this.cancelled(CANCEL_CODE.timeout);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    wheel.remove(this);
    return true;
  }
}
