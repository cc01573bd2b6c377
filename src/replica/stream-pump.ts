import type { InboundCall } from '../channel/inbound-call.ts';
import { StreamWindow } from '../channel/stream-window.ts';
import { loop } from '../time/loop.ts';
import { iteratorOf } from '../validation/iterator-of.ts';
import { Capture, RESULT } from '../values/capture.ts';
import type { StreamListener } from './running-call.ts';

type AnyIterator = Iterator<unknown, unknown> | AsyncIterator<unknown, unknown>;

/** Whether the result of a method is a stream: an async iterable, or the generator of a sync generator method. */
export function isStream(value: unknown): value is AsyncIterable<unknown> | Generator<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const { asyncIterator, toStringTag } = Symbol;
  try {
    // Every result is asked: properties that are read in place cost a fifth of what `Reflect.get` and `toString` do.
    const candidate = value as { readonly [key: symbol]: unknown };
    return typeof candidate[asyncIterator] === 'function' || candidate[toStringTag] === 'Generator';
  } catch {
    return false;
  }
}

/** Ends an iterator early, so that its `finally` blocks run. An error that they throw is ignored. */
export async function leave(iterator: AnyIterator): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // The reader is gone.
  }
}

/**
 * Sends the values of an iterator as chunks, no faster than the reader takes them. If computing them holds the event loop, the
 * loop turns between two values. When the reader leaves, the iterator's `finally` blocks run.
 */
export class StreamPump implements StreamListener {
  readonly #inbound: InboundCall;
  readonly #iterator: AnyIterator;
  readonly #name: string;
  readonly #window = new StreamWindow();
  readonly #capture = new Capture();
  #stopped = false;
  #failure: { readonly error: unknown } | undefined = undefined;

  /** @param name the name of the method in errors */
  constructor(inbound: InboundCall, source: AsyncIterable<unknown> | Iterable<unknown>, name: string) {
    this.#inbound = inbound;
    this.#name = name;
    this.#iterator = iteratorOf(source);
  }

  credited(chunks: number): void {
    this.#window.credited(chunks);
  }

  cancel(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#window.close();
    // `return()` is queued after a running `next()`, and ends a generator that waits at a `yield`.
    void leave(this.#iterator);
  }

  fail(error: Error): void {
    this.#failure ??= { error };
    this.cancel();
  }

  /** @throws the error of the iterator */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const { done, value } = await this.#iterator.next();
      if (done === true || this.#stopped) break;
      this.#send(value);
      if (!this.#window.hasRoom) await this.#window.room();
      const turned = loop.yield();
      if (turned !== undefined) await turned;
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #send(value: unknown): void {
    const capture = this.#capture;
    capture.reset();
    try {
      const chunk = this.#inbound.isByReference ? value : capture.take(value, this.#name, RESULT);
      this.#window.sent(capture.bytes);
      this.#inbound.chunk(chunk, capture);
    } catch (error) {
      this.cancel();
      throw error;
    }
  }
}
