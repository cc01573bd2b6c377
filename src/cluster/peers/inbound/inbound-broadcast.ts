import { type FanOutcome, packOutcomes } from '../../../channel/fan-out.ts';
import { type CallMeta, type CancelCode, FRAME } from '../../../channel/frames.ts';
import { ServeError } from '../../../errors.ts';
import type { Marks } from '../../../values/marks.ts';
import { packError, rawError } from '../../../values/pack.ts';
import type { Link } from '../../../wire/link.ts';
import { type InboundAnswers, InboundPeerCall, type OpenInboundCall } from './inbound-call.ts';
import type { InboundPort } from './inbound-port.ts';

/** The call as it arrived. */
export interface BroadcastFrame {
  readonly id: number;
  readonly args: readonly unknown[];
  readonly meta: CallMeta;
  readonly marks: Marks | undefined;
  /** Deadline; 0 = none. */
  readonly deadlineAt: number;
}

/**
 * A peer's call to all replicas of this instance: each of them gets a call of its own, beyond queue and limits, and the peer gets one
 * answer with all outcomes.
 */
export class InboundBroadcast implements OpenInboundCall, InboundAnswers {
  readonly #link: Link;
  readonly #port: InboundPort;
  readonly #frame: BroadcastFrame;
  /** Outcome of each call, in the order of the replicas; undefined while it runs. */
  readonly #outcomes = new Map<InboundPeerCall, FanOutcome | undefined>();
  /** Number of calls without an outcome, and one while calls are still made. */
  #open = 1;

  constructor(link: Link, port: InboundPort, method: string, frame: BroadcastFrame) {
    this.#link = link;
    this.#port = port;
    this.#frame = frame;
    port.entered();
    const { route } = port.served;
    const { fanOut: _, ...meta } = frame.meta;
    for (const endpoint of route.reserveEach()) {
      const call = new InboundPeerCall(route, method, frame.id, this);
      call.args = frame.args;
      call.marks = frame.marks;
      call.meta = meta;
      this.#outcomes.set(call, undefined);
      this.#open++;
      route.begin(call, frame.deadlineAt);
      route.dispatchTo(call, endpoint);
    }
    // A later turn: the link must know the call before it ends.
    queueMicrotask(() => this.#ended());
  }

  cancelled(code: CancelCode): void {
    for (const call of this.#outcomes.keys()) call.cancelled(code);
  }

  result(call: InboundPeerCall, value: unknown, marks: Marks | undefined): void {
    this.#settle(call, { isOk: true, value, marks });
  }

  error(call: InboundPeerCall, error: unknown, marks: Marks | undefined): void {
    this.#settle(call, { isOk: false, ...rawError(error, marks) });
  }

  lost(call: InboundPeerCall, error: unknown): void {
    this.error(call, error, undefined);
  }

  givenBack(call: InboundPeerCall): void {
    const { deployment } = this.#port.served.route;
    const what = `${deployment}: a replica stopped before it began the call`;
    this.error(call, new ServeError('SERVE_REPLICA_DIED', what, { retryable: true }), undefined);
  }

  open(call: InboundPeerCall): void {
    const { deployment } = this.#port.served.route;
    const what = `${deployment}.${call.method}: it streams its result, which a broadcast cannot carry to another instance`;
    call.refused(new ServeError('SERVE_INVALID_OPTION', what));
  }

  chunk(): void {}
  end(): void {}
  credit(): void {}
  begun(): void {}
  takenBack(): void {}

  #settle(call: InboundPeerCall, outcome: FanOutcome): void {
    this.#outcomes.set(call, outcome);
    this.#ended();
  }

  #ended(): void {
    if (--this.#open > 0) return;
    const { id } = this.#frame;
    const outcomes = [...this.#outcomes.values()].filter((outcome) => outcome !== undefined);
    const { value, marks } = packOutcomes(outcomes);
    try {
      this.#link.post(
        marks === undefined ? [FRAME.result, id, value] : [FRAME.resultMarked, id, value, marks],
      );
    } catch (error) {
      const packed = packError(error);
      this.#link.post([FRAME.error, id, packed.value, packed.marks]);
    }
    this.#port.left(id);
  }
}
