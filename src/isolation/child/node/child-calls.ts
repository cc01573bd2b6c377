import type { ArrivedCall, Intake } from '../../../channel/call-intake.ts';
import { CANCEL_CODE } from '../../../channel/frames.ts';
import type { InboundCall } from '../../../channel/inbound-call.ts';
import { ReplicaChannel } from '../../../channel/replica-channel.ts';
import { NO_LEDGER } from '../../../channel/start-ledger.ts';
import type { FrameTransport } from '../../../channel/transport.ts';
import type { CallOwner } from '../../../handle/call/call.ts';
import { RawCall } from '../../../handle/call/raw-call.ts';
import { routeKey } from '../../../handle/routing/directory.ts';
import type { Router } from '../../../handle/routing/router.ts';
import { now } from '../../../time/clock.ts';
import { loop } from '../../../time/loop.ts';
import { rawError } from '../../../values/pack.ts';
import { NO_ENCODING } from '../../../values/transfer.ts';
import { broadcastFor } from './broadcast-for-child.ts';
import type { CalledMethod } from './child-messages.ts';

/** Makes the calls that the user's code in a child makes to other deployments: this thread's router finds their replicas. */
export class ChildCalls {
  readonly #router: Router;
  readonly #methods: CalledMethod[] = [];

  /** @param transport of the child's calls */
  constructor(router: Router, transport: FrameTransport) {
    this.#router = router;
    new ReplicaChannel(
      '',
      transport,
      NO_LEDGER,
      AT_ONCE,
      (call, at) => this.#begin(call, at),
      () => {},
    );
  }

  /** The child is about to call a method that it has not called before. */
  announced(called: CalledMethod): void {
    this.#methods[called.index] = called;
  }

  #begin(inbound: InboundCall, at: number): void {
    const called = this.#methods[inbound.method];
    if (called === undefined) throw new TypeError(`the child did not announce method ${inbound.method}`);
    const { app, deployment, method } = called;
    const route = this.#router.route(app, deployment, routeKey(app, deployment));
    if (inbound.meta?.fanOut === true) {
      broadcastFor(inbound, route, method, this.#router.instanceId);
      return;
    }
    const call = new ForwardedCall(route, method, inbound);
    call.priorityRank = inbound.meta?.priority ?? route.config.priorityRank;
    route.begin(call, inbound.deadline);
    call.ready(at);
    route.dispatch(call);
  }
}

/** Calls of the child have begun when they arrive: the child itself has no limit for them. */
const AT_ONCE: Intake = {
  loop,
  placesAtOnce: 1,
  received: () => true,
  defer: (handle) => handle(),
  offer: (call: ArrivedCall) => void call.begin(now(), false),
  streams() {},
  ended() {},
  moved() {},
  answered() {},
  release() {},
};

/** A call of the child to another deployment. Its values are not revived here. */
class ForwardedCall extends RawCall {
  readonly #inbound: InboundCall;

  constructor(route: CallOwner, method: string, inbound: InboundCall) {
    super(route, method);
    this.#inbound = inbound;
    const { args, marks, meta } = inbound.raw();
    this.args = args;
    this.marks = marks;
    this.meta = meta;
    inbound.listener = {
      cancelled: () => this.cancel(),
      credited: (chunks) => this.endpoint?.channel.credit(this, chunks),
      // Handles upload nothing.
      uploaded() {},
      uploadEnded() {},
      refused: (error) => this.cancelAs('error', error, CANCEL_CODE.cancelled),
    };
  }

  protected override onResult(value: unknown): void {
    this.#inbound.listener = undefined;
    if (this.batchSize !== undefined) this.#inbound.batched(this.batchSize);
    this.#inbound.result(value, { ...NO_ENCODING, marks: this.rawMarks });
  }

  protected override onError(error: unknown): void {
    this.#inbound.listener = undefined;
    const { value, marks } = rawError(error, this.rawMarks);
    this.#inbound.error(value, { ...NO_ENCODING, marks });
  }

  protected override onOpen(head: unknown): void {
    this.#inbound.open(head, { ...NO_ENCODING, marks: this.rawMarks });
  }

  protected override onChunk(value: unknown, bytes: number): void {
    this.#inbound.chunk(value, { marks: this.rawMarks, bytes, transfer: undefined });
  }

  protected override onEnd(): void {
    this.#inbound.listener = undefined;
    this.#inbound.end();
  }
}
