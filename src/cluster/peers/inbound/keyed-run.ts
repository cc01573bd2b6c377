import type { CancelCode } from '../../../channel/frames.ts';
import {
  deadlineOfRun,
  type KeyedRun,
  KeyedRuns,
  type RunListener,
  streamsWithKey,
  WaitingCalls,
} from '../../../handle/policies/keyed-runs.ts';
import { type RawResult, rawResult } from '../../../handle/policies/result-cache.ts';
import type { Route } from '../../../handle/routing/route.ts';
import type { Marks } from '../../../values/marks.ts';
import { type InboundAnswers, InboundPeerCall } from './inbound-call.ts';
import type { AwaitedRun, KeyedPeerCall } from './keyed-call.ts';

/** The one execution of calls of peers with one idempotency key, which runs while calls wait for it. */
export class KeyedPeerRun implements KeyedRun<KeyedPeerCall>, AwaitedRun, InboundAnswers {
  readonly fingerprint: string;
  readonly call: InboundPeerCall;
  readonly #waiting = new WaitingCalls<KeyedPeerCall>();
  readonly #listener: RunListener<RawResult>;

  /** @param model the first call under the key, as it arrived */
  constructor(route: Route, model: InboundPeerCall, fingerprint: string, listener: RunListener<RawResult>) {
    this.fingerprint = fingerprint;
    this.#listener = listener;
    this.call = new InboundPeerCall(route, model.method, model.id, this);
    const { args, marks, transfer, meta, priorityRank } = model;
    Object.assign(this.call, { args, marks, transfer, meta, priorityRank });
  }

  join(waiting: KeyedPeerCall): void {
    this.#waiting.add(waiting);
    waiting.waitFor(this);
    if (this.call.hasBegun) waiting.begun();
  }

  /** A waiting call was given up; the last one cancels the execution. */
  left(waiting: KeyedPeerCall, code: CancelCode): void {
    if (this.#waiting.gaveUp(waiting)) this.call.cancelled(code);
  }

  begun(): void {
    for (const waiting of this.#waiting) waiting.begun();
  }

  takenBack(): void {
    for (const waiting of this.#waiting) waiting.takenBack();
  }

  result(_call: InboundPeerCall, value: unknown, marks: Marks | undefined): void {
    const packed = { value, marks };
    this.#listener.finished(rawResult(packed));
    for (const waiting of this.#waiting.takeAll()) waiting.succeeded(packed);
  }

  error(_call: InboundPeerCall, error: unknown, marks: Marks | undefined): void {
    for (const waiting of this.#fail()) waiting.failed(error, marks);
  }

  lost(_call: InboundPeerCall, error: unknown): void {
    for (const waiting of this.#fail()) waiting.lost(error);
  }

  givenBack(): void {
    for (const waiting of this.#fail()) waiting.givenBack();
  }

  open(call: InboundPeerCall): void {
    call.refused(streamsWithKey(call.route.deployment, call.method));
  }

  chunk(): void {}
  end(): void {}
  credit(): void {}

  #fail(): KeyedPeerCall[] {
    this.#listener.failed();
    return this.#waiting.takeAll();
  }
}

/** The calls of all peers to one deployment of this instance that have an idempotency key. */
export class KeyedPeerRuns extends KeyedRuns<KeyedPeerCall, KeyedPeerRun, RawResult> {
  readonly #route: Route;
  readonly #onSent: () => void;

  /** @param onSent an execution was sent, perhaps after the last replica had gone: arguments may be hashed for a while */
  constructor(route: Route, onSent: () => void) {
    super(route.counters);
    this.#route = route;
    this.#onSent = onSent;
  }

  protected override create(
    { model }: KeyedPeerCall,
    _key: string,
    fingerprint: string,
    listener: RunListener<RawResult>,
  ): KeyedPeerRun {
    return new KeyedPeerRun(this.#route, model, fingerprint, listener);
  }

  protected override send({ call }: KeyedPeerRun): void {
    this.#route.begin(call, deadlineOfRun(call));
    this.#route.dispatchAccepted(call);
    this.#onSent();
  }

  protected override replay(call: KeyedPeerCall, result: RawResult): void {
    call.succeeded(result.packed);
  }
}
