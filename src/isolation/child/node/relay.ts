import { CallerEnd } from '../../../channel/caller-end.ts';
import { CANCEL_CODE, type CancelCode, METHOD_HTTP } from '../../../channel/frames.ts';
import type { InboundCall, InboundListener } from '../../../channel/inbound-call.ts';
import { HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME } from '../../../channel/method-names.ts';
import { OutboundCall } from '../../../channel/outbound-call.ts';
import { NO_LEDGER } from '../../../channel/start-ledger.ts';
import { Capture, RESULT } from '../../../values/capture.ts';
import type { Marks } from '../../../values/marks.ts';
import { type EncodedValue, NO_ENCODING } from '../../../values/transfer.ts';
import { type ChildLink, LANE } from './child-link.ts';

/** Passes the calls of a replica on to its child process, and the answers back. No value is revived on the way. */
export class Relay extends CallerEnd {
  readonly #names: readonly string[];
  readonly #mainCaller: string;
  readonly #link: ChildLink;

  /**
   * @param methods remote methods of the child, by their index
   * @param mainCaller name of the caller whose calls need no request ids: the child makes them from the calls' numbers
   */
  constructor(link: ChildLink, methods: readonly string[], mainCaller: string) {
    super(link.lane(LANE.toChild), NO_LEDGER, new Map(methods.map((name, index) => [name, index])));
    this.#names = methods;
    this.#mainCaller = mainCaller;
    this.#link = link;
  }

  /** Whether the child must be told the request ids of a caller's calls. */
  namesCallsOf(callerName: string): boolean {
    return callerName !== this.#mainCaller;
  }

  /** Companions of a value that passes on: its large memory moves with it. */
  encodingOf(value: unknown, marks: Marks | undefined): EncodedValue {
    const transfer = this.#link.largeOf(value);
    return marks === undefined && transfer === undefined ? NO_ENCODING : { marks, transfer, bytes: 0 };
  }

  pass(inbound: InboundCall): void {
    const { method } = inbound;
    const name = this.#names[method] ?? (method === METHOD_HTTP ? HTTP_METHOD_NAME : WEBSOCKET_METHOD_NAME);
    this.send(new RelayedCall(this, inbound, name));
  }

  /** Calls hold their places at the replica's own channels. */
  override unreserve(): void {}

  /** The host fails the calls of a child that is gone, with the reason of its end. */
  protected override onLost(): void {
    this.shut();
  }
}

/** A call on its way through the gateway. */
class RelayedCall extends OutboundCall {
  readonly callerName: string;
  readonly sentAt = 0;
  readonly #relay: Relay;
  readonly #inbound: InboundCall;
  /** Set if the caller's channel refused a chunk: the stream ends with the error. */
  #refusal: Error | undefined = undefined;

  constructor(relay: Relay, inbound: InboundCall, name: string) {
    super();
    this.#relay = relay;
    this.#inbound = inbound;
    this.callerName = inbound.callerName;
    this.number = inbound.number;
    this.method = name;
    this.expiresAt = inbound.deadline;
    const { args, marks, meta } = inbound.raw();
    this.args = args;
    this.marks = marks;
    this.meta =
      meta?.requestId === undefined && relay.namesCallsOf(this.callerName)
        ? { ...meta, requestId: `${this.callerName}-${this.number}` }
        : meta;
    inbound.listener = new FromCaller(relay, this);
  }

  override get wantsRaw(): boolean {
    return true;
  }

  override succeeded(value: unknown, marks?: Marks): void {
    if (this.#end()) this.#inbound.result(value, this.#relay.encodingOf(value, marks));
  }

  override failed(error: unknown, marks?: Marks): void {
    if (!this.#end()) return;
    // An error of this thread, such as a value that cannot cross, is not captured yet.
    if (error instanceof Error) this.#fail(error);
    else this.#inbound.error(error, { ...NO_ENCODING, marks });
  }

  override opened(head: unknown, marks?: Marks): void {
    this.#inbound.open(head, { ...NO_ENCODING, marks });
  }

  override chunk(value: unknown, bytes: number, marks?: Marks): void {
    if (this.#refusal === undefined)
      this.#inbound.chunk(value, { ...this.#relay.encodingOf(value, marks), bytes });
  }

  override ended(): void {
    if (this.#end()) this.#inbound.end();
  }

  override credited(chunks: number): void {
    this.#inbound.credit(chunks);
  }

  /** The child is gone: the host fails the call. */
  override orphaned(): void {}

  /** Its deadline is the caller's. */
  override expire(): void {}

  /** The caller's channel refused a chunk. */
  refuse(error: Error): void {
    this.#refusal = error;
    this.#relay.cancel(this, CANCEL_CODE.cancelled);
  }

  /** The child sent its last frame. @returns whether the frame may be passed on */
  #end(): boolean {
    this.#inbound.listener = undefined;
    if (this.batchSize !== undefined) this.#inbound.batched(this.batchSize);
    if (this.#refusal === undefined) return true;
    this.#fail(this.#refusal);
    return false;
  }

  #fail(error: Error): void {
    const capture = new Capture();
    this.#inbound.error(capture.take(error, '', RESULT), capture);
  }
}

/** Passes on what the caller sends after its call. */
class FromCaller implements InboundListener {
  readonly #relay: Relay;
  readonly #call: RelayedCall;

  constructor(relay: Relay, call: RelayedCall) {
    this.#relay = relay;
    this.#call = call;
  }

  cancelled(code: CancelCode): void {
    this.#relay.cancel(this.#call, code);
  }

  credited(chunks: number): void {
    this.#relay.credit(this.#call, chunks);
  }

  uploaded(value: unknown, bytes: number): void {
    this.#relay.upload(this.#call, value, { ...NO_ENCODING, bytes });
  }

  uploadEnded(): void {
    this.#relay.endUpload(this.#call);
  }

  refused(error: Error): void {
    this.#call.refuse(error);
  }
}
