import type { FlatHeaders, ResponseEnvelope } from '../../channel/http-envelope.ts';
import type { InboundCall } from '../../channel/inbound-call.ts';
import { StreamWindow } from '../../channel/stream-window.ts';
import { loop } from '../../time/loop.ts';
import { iteratorOf } from '../../validation/iterator-of.ts';
import { isThenable } from '../../validation/thenable.ts';
import { Capture, RESULT } from '../../values/capture.ts';
import { NO_ENCODING } from '../../values/transfer.ts';
import type { RunningCall, StreamListener } from '../running-call.ts';
import { leave } from '../stream-pump.ts';

/** The source of the pieces of a body. */
export interface BodySource {
  next(): Promise<IteratorResult<unknown>> | IteratorResult<unknown>;
  /** The reader left. */
  close(): void;
}

/** The items of an iterable. Its `finally` blocks run when it is stopped, at the latest when it comes to a `yield`. */
export function fromIterable(source: AsyncIterable<unknown> | Iterable<unknown>): BodySource {
  const iterator = iteratorOf(source);
  return {
    next: () => iterator.next(),
    // A generator around it is avoided, because it would wait for an item that may never come.
    close: () => void leave(iterator),
  };
}

/** The chunks of a stream. Stopped, it ends at once, also in the middle of a read. */
export function fromReadable(stream: ReadableStream): BodySource {
  const reader = stream.getReader();
  return {
    next: () => reader.read() as Promise<IteratorResult<unknown>>,
    close: () => {
      reader.cancel().catch(() => {});
    },
  };
}

/** Bytes of a chunk that is copied rather than captured. */
const SMALL_PIECE = 1_024;

/** One piece of a body, and the type of a body that consists of such. */
export type ToChunk = (item: unknown) => readonly [type: FlatHeaders, chunk: string | Uint8Array];

/** Sends a body as chunks, no faster than the client takes them. */
export class ResponseStream implements StreamListener {
  readonly #inbound: InboundCall;
  readonly #source: BodySource;
  readonly #toChunk: ToChunk;
  readonly #window = new StreamWindow();
  readonly #capture = new Capture();
  #isOpen = false;
  #stopped = false;
  #failure: Error | undefined = undefined;

  constructor(call: RunningCall, source: BodySource, toChunk: ToChunk) {
    this.#inbound = call.inbound;
    this.#source = source;
    this.#toChunk = toChunk;
    call.streamTo(this);
    if (call.cancellation !== undefined) this.cancel();
  }

  /** Whether the head is sent. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  credited(chunks: number): void {
    this.#window.credited(chunks);
  }

  cancel(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#window.close();
    this.#source.close();
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.cancel();
  }

  open(status: number, headers: FlatHeaders): void {
    this.#isOpen = true;
    const envelope: ResponseEnvelope = [status, headers, undefined];
    this.#inbound.open(envelope, NO_ENCODING);
  }

  /**
   * Sends everything. The head goes ahead of the first chunk, and its type follows from that.
   *
   * @param first reads that are under way already
   * @throws what the source threw
   */
  async run(first: readonly Promise<IteratorResult<unknown>>[] = []): Promise<void> {
    const window = this.#window;
    try {
      for (let count = 0; !this.#stopped; count++) {
        const read = first[count] ?? this.#source.next();
        const { done, value } = isThenable(read) ? await read : read;
        if (done === true || this.#stopped) break;
        this.#send(value);
        if (!window.hasRoom) await window.room();
        const turned = loop.yield();
        if (turned !== undefined) await turned;
      }
    } catch (error) {
      this.cancel();
      throw error;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #send(item: unknown): void {
    const [type, chunk] = this.#toChunk(item);
    if (!this.#isOpen) this.open(200, type);
    if (typeof chunk === 'string' || chunk.length <= SMALL_PIECE) {
      if (this.#inbound.piece(chunk)) this.#window.grew(chunk.length);
      else this.#window.sent(chunk.length);
      return;
    }
    const capture = this.#capture;
    capture.reset();
    const taken = capture.take(chunk, 'chunk', RESULT);
    this.#window.sent(capture.bytes);
    this.#inbound.chunk(taken, { marks: undefined, transfer: capture.transfer, bytes: capture.bytes });
  }
}
