import type { ChannelCall } from '../../channel/channel-call.ts';
import { CANCEL_CODE } from '../../channel/frames.ts';
import { OutboundCall } from '../../channel/outbound-call.ts';
import type { Marks } from '../../values/marks.ts';
import { rawError } from '../../values/pack.ts';
import { type EncodedValue, NO_ENCODING } from '../../values/transfer.ts';
import type { PeerChannel } from './peer-channel.ts';

/** A call of a replica of this instance on its way to a peer. Values pass as they crossed the thread. */
export class RelayedCall extends OutboundCall {
  readonly callerName: string;
  readonly sentAt = 0;
  readonly #inbound: ChannelCall;

  constructor(inbound: ChannelCall, method: string, channel: PeerChannel) {
    super();
    this.#inbound = inbound;
    this.callerName = inbound.callerName;
    this.number = inbound.number;
    this.method = method;
    this.expiresAt = inbound.deadline;
    const { args, marks, meta } = inbound.raw();
    this.args = args;
    this.marks = marks;
    this.meta = meta;
    inbound.listener = {
      cancelled: (code) => channel.cancel(this, code),
      credited: (chunks) => channel.credit(this, chunks),
      uploaded: (value, bytes) => channel.upload(this, value, { ...NO_ENCODING, bytes }),
      uploadEnded: () => channel.endUpload(this),
      refused: (error) => {
        channel.cancel(this, CANCEL_CODE.cancelled);
        this.failed(error);
      },
    };
  }

  override get wantsRaw(): boolean {
    return true;
  }

  override succeeded(value: unknown, marks?: Marks): void {
    this.#report();
    this.#inbound.result(value, encodedWith(marks));
  }

  override failed(error: unknown, marks?: Marks): void {
    this.#report();
    const packed = rawError(error, marks);
    this.#inbound.error(packed.value, encodedWith(packed.marks));
  }

  override opened(head: unknown, marks?: Marks): void {
    this.#inbound.open(head, encodedWith(marks));
  }

  override chunk(value: unknown, bytes: number, marks?: Marks): void {
    this.#inbound.chunk(value, { ...NO_ENCODING, marks, bytes });
  }

  override ended(): void {
    this.#report();
    this.#inbound.end();
  }

  override credited(chunks: number): void {
    this.#inbound.credit(chunks);
  }

  override returned(): void {
    this.#inbound.returned();
  }

  override orphaned(started: boolean, error: unknown): void {
    if (!started) {
      this.#inbound.returned();
      return;
    }
    const { value, marks } = rawError(error, undefined);
    this.#inbound.lost(value, encodedWith(marks));
  }

  override expire(): void {}

  #report(): void {
    if (this.batchSize !== undefined) this.#inbound.batched(this.batchSize);
    if (this.peerRun !== undefined)
      this.#inbound.ranAt(this.peerRun.replica, this.peerRun.waitedMs, this.ranMs);
  }
}

function encodedWith(marks: Marks | undefined): EncodedValue {
  return { ...NO_ENCODING, marks };
}
