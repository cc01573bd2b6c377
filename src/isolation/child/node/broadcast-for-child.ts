import { type FanOutcome, packOutcomes, rawOutcomesOf } from '../../../channel/fan-out.ts';
import { CANCEL_CODE, type CallMeta } from '../../../channel/frames.ts';
import type { InboundCall } from '../../../channel/inbound-call.ts';
import { ServeError } from '../../../errors.ts';
import type { CallOwner } from '../../../handle/call/call.ts';
import { RawCall } from '../../../handle/call/raw-call.ts';
import type { Route } from '../../../handle/routing/route.ts';
import type { Marks } from '../../../values/marks.ts';
import { rawError } from '../../../values/pack.ts';
import { NO_ENCODING } from '../../../values/transfer.ts';

/**
 * Passes a broadcast of a child on to every replica of a deployment: replicas of this instance get a call each, another
 * instance gets one call. The child gets one answer with all outcomes.
 *
 * @param instance the instance that calls
 */
export function broadcastFor(inbound: InboundCall, route: Route, method: string, instance: string): void {
  const { args, marks, meta } = inbound.raw();
  const { fanOut: _, ...own } = meta ?? {};
  const parts = new Map<PartCall, readonly FanOutcome[]>();
  let open = 1;
  const ended = (part: PartCall, outcomes: readonly FanOutcome[]): void => {
    parts.set(part, outcomes);
    if (--open === 0) answer();
  };
  const answer = (): void => {
    inbound.listener = undefined;
    const { value, marks: all } = packOutcomes([...parts.values()].flat());
    inbound.result(value, { ...NO_ENCODING, marks: all });
  };
  let isCancelled = false;
  const cancel = (): void => {
    isCancelled = true;
    for (const part of parts.keys()) part.cancel();
  };
  inbound.listener = { cancelled: cancel, refused: cancel, credited() {}, uploaded() {}, uploadEnded() {} };
  const send = (): void => {
    for (const endpoint of isCancelled ? [] : route.reserveEach()) {
      const isPeer = endpoint.instanceId !== instance;
      const part = new PartCall(route, method, isPeer, (outcomes) => ended(part, outcomes));
      const metadata: CallMeta = isPeer ? { ...own, fanOut: true } : own;
      part.prepare(args, marks, metadata);
      parts.set(part, []);
      open++;
      route.begin(part, inbound.deadline);
      route.dispatchTo(part, endpoint);
    }
    if (--open === 0) answer();
  };
  // The first call to a deployment comes before this thread knows the replicas.
  if (route.listed === undefined) send();
  else void route.listed.then(send);
}

/** The part of a broadcast at one replica, or at all replicas of another instance. */
class PartCall extends RawCall {
  readonly #isPeer: boolean;
  readonly #ended: (outcomes: readonly FanOutcome[]) => void;

  constructor(
    route: CallOwner,
    method: string,
    isPeer: boolean,
    ended: (outcomes: readonly FanOutcome[]) => void,
  ) {
    super(route, method);
    this.#isPeer = isPeer;
    this.#ended = ended;
  }

  prepare(args: readonly unknown[], marks: Marks | undefined, meta: CallMeta): void {
    this.args = args;
    this.marks = marks;
    this.meta = meta;
  }

  override returned(): void {
    this.orphaned(false, undefined);
  }

  protected override onResult(value: unknown): void {
    if (!this.#isPeer) {
      this.#ended([{ isOk: true, value, marks: this.rawMarks }]);
      return;
    }
    try {
      this.#ended(rawOutcomesOf(value, this.rawMarks));
    } catch (error) {
      this.onError(error);
    }
  }

  protected override onError(error: unknown): void {
    this.#ended([{ isOk: false, ...rawError(error, this.rawMarks) }]);
  }

  protected override onOpen(): void {
    const what = `${this.route.deployment}.${this.method}: it streams its result, which a broadcast of a process cannot carry`;
    this.cancelAs('error', new ServeError('SERVE_INVALID_OPTION', what), CANCEL_CODE.cancelled);
  }

  protected override onChunk(): void {}

  protected override onEnd(): void {}
}
