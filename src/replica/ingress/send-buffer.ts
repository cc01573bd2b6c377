import type { CloseEnvelope, SocketFrame } from '../../channel/http-envelope.ts';
import type { InboundCall } from '../../channel/inbound-call.ts';
import { StreamWindow } from '../../channel/stream-window.ts';
import { LARGE_BYTES } from '../../values/memory.ts';

/** A message that waits for room. A `Blob` has no frame before it is read. */
interface Waiting {
  frame: SocketFrame | undefined;
  readonly bytes: number;
}

/** The session that the messages belong to. */
export interface SendBufferOwner {
  /** The limit of waiting bytes is exceeded. */
  overflowed(): void;
  /** A `Blob` cannot be read. */
  fail(error: Error): void;
}

/**
 * The messages of user code on their way to the host, in order and no faster than the client reads them. Messages without room
 * wait here, because `send()` cannot wait.
 */
export class SendBuffer {
  readonly #inbound: InboundCall;
  readonly #limit: number;
  readonly #owner: SendBufferOwner;
  readonly #window = new StreamWindow();
  readonly #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #drained: PromiseWithResolvers<void> | undefined = undefined;
  #isEnded = false;
  #onFinished: (() => void) | undefined = undefined;

  /** @param limit bytes that may wait */
  constructor(inbound: InboundCall, limit: number, owner: SendBufferOwner) {
    this.#inbound = inbound;
    this.#limit = limit;
    this.#owner = owner;
  }

  /** Bytes that were sent and have not left the host yet. */
  get bufferedAmount(): number {
    return this.#window.bytes + this.#waitingBytes;
  }

  send(message: string | Uint8Array): void {
    this.#add(message, typeof message === 'string' ? Buffer.byteLength(message) : message.byteLength);
  }

  sendBlob(blob: Blob): void {
    const waiting = this.#wait(undefined, blob.size);
    blob.arrayBuffer().then(
      (buffer) => {
        waiting.frame = new Uint8Array(buffer);
        this.#pump();
      },
      (error) => this.#owner.fail(error),
    );
  }

  /** Sends the last frame after all waiting messages. */
  close(envelope: CloseEnvelope): void {
    this.#add(envelope, 0);
  }

  /** Cuts the connection. Waiting messages are lost. */
  destroy(envelope: CloseEnvelope): void {
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#post(envelope, 0);
  }

  credited(chunks: number): void {
    this.#window.credited(chunks);
    this.#pump();
  }

  /** Notes that no more messages are sent, which ends all waits for room. Waiting messages are still sent. */
  finish(onFinished: () => void): void {
    this.#onFinished = onFinished;
    this.#drained?.resolve();
  }

  /** Whether every message has been sent. */
  get isFinished(): boolean {
    return this.#waiting.length === 0;
  }

  /** Notes that the connection has ended. Waiting messages are lost. */
  end(): void {
    this.#isEnded = true;
    this.#waiting.length = 0;
    this.#drained?.resolve();
  }

  drained(): Promise<void> {
    if (this.#hasRoom || this.#isEnded || this.#onFinished !== undefined) return Promise.resolve();
    this.#drained ??= Promise.withResolvers();
    return this.#drained.promise;
  }

  get #hasRoom(): boolean {
    return this.#waiting.length === 0 && this.#window.hasRoom;
  }

  #add(frame: SocketFrame, bytes: number): void {
    if (this.#hasRoom) this.#post(frame, bytes);
    else this.#wait(frame, bytes);
  }

  #wait(frame: SocketFrame | undefined, bytes: number): Waiting {
    const waiting: Waiting = { frame, bytes };
    this.#waiting.push(waiting);
    this.#waitingBytes += bytes;
    if (this.#waitingBytes > this.#limit) this.#owner.overflowed();
    return waiting;
  }

  #pump(): void {
    while (this.#window.hasRoom) {
      const next = this.#waiting[0];
      if (next?.frame === undefined) break;
      this.#waiting.shift();
      this.#waitingBytes -= next.bytes;
      this.#post(next.frame, next.bytes);
    }
    if (this.isFinished) this.#onFinished?.();
    if (!this.#hasRoom) return;
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  #post(frame: SocketFrame, bytes: number): void {
    if (this.#isEnded) return;
    const isLarge = frame instanceof Uint8Array && frame.byteLength >= LARGE_BYTES;
    const transfer = isLarge ? [frame.buffer as ArrayBuffer] : undefined;
    this.#window.sent(bytes);
    this.#inbound.chunk(frame, { marks: undefined, transfer, bytes });
  }
}
