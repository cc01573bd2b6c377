import type { CallMeta } from '../../channel/frames.ts';
import type { InboundCall, InboundListener, RawArguments } from '../../channel/inbound-call.ts';
import type { OutboundCall } from '../../channel/outbound-call.ts';
import { beginBatch } from '../../time/clock.ts';
import { type EncodedValue, NO_ENCODING } from '../../values/transfer.ts';

/** Joins the two ends of a call without a channel between them. */
export class InlineCall implements InboundCall {
  readonly method: number;
  listener: InboundListener | undefined = undefined;
  protected readonly call: OutboundCall;
  readonly #onEnded: () => void;

  constructor(call: OutboundCall, method: number, onEnded: () => void) {
    this.call = call;
    this.method = method;
    this.#onEnded = onEnded;
  }

  get callerName(): string {
    return this.call.callerName;
  }

  get number(): number {
    return this.call.number;
  }

  get deadline(): number {
    return this.call.expiresAt;
  }

  get args(): unknown[] {
    return this.call.args as unknown[];
  }

  get meta(): CallMeta | undefined {
    return this.call.meta;
  }

  get upload(): CallMeta['upload'] {
    return this.meta?.upload;
  }

  raw(): RawArguments {
    return { args: this.args, marks: undefined, meta: this.meta };
  }

  get isByReference(): boolean {
    return true;
  }

  /** The replica's form of a chunk that the caller uploads. */
  received(chunk: unknown, _encoded: EncodedValue): unknown {
    return chunk;
  }

  result(value: unknown, _encoded: EncodedValue): void {
    beginBatch();
    this.call.succeeded(value);
    this.#onEnded();
  }

  error(error: unknown, _encoded: EncodedValue): void {
    beginBatch();
    this.call.failed(error);
    this.#onEnded();
  }

  open(head: unknown, _encoded: EncodedValue): void {
    beginBatch();
    this.call.opened(head);
  }

  piece(value: string | Uint8Array): boolean {
    this.chunk(value, { ...NO_ENCODING, bytes: value.length });
    return false;
  }

  chunk(value: unknown, encoded: EncodedValue): void {
    beginBatch();
    this.call.chunk(value, encoded.bytes);
  }

  end(): void {
    beginBatch();
    this.call.ended();
    this.#onEnded();
  }

  credit(chunks: number): void {
    this.call.credited(chunks);
  }

  batched(items: number): void {
    this.call.batchSize = items;
  }
}
