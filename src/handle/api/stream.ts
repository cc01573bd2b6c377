import { CreditCounter } from '../../channel/stream-window.ts';

/** The producer of a stream, as its reader addresses it. */
export interface StreamSource {
  /** The reader consumed this many chunks. */
  credit(chunks: number): void;
  /** The reader left before the end. */
  cancel(reason?: unknown): void;
}

interface Waiter {
  resolve(result: IteratorResult<unknown, undefined>): void;
  reject(error: unknown): void;
}

/**
 * The reading end of a stream: chunks wait here until they are asked for, and each one asked for is credited to the
 * producer, which stops when it runs out of credit.
 */
export class StreamReader implements AsyncIterableIterator<unknown, undefined> {
  readonly #source: StreamSource;
  readonly #chunks: unknown[] = [];
  readonly #sizes: number[] = [];
  #head = 0;
  readonly #waiters: Waiter[] = [];
  readonly #credit = new CreditCounter();
  #ended = false;
  #error: { readonly value: unknown } | undefined = undefined;

  constructor(source: StreamSource) {
    this.#source = source;
  }

  /** A chunk arrived. */
  push(chunk: unknown, bytes: number): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      this.#chunks.push(chunk);
      this.#sizes.push(bytes);
      return;
    }
    this.#consumed(bytes);
    waiter.resolve({ done: false, value: chunk });
  }

  /** No more chunks come. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const waiter of this.#waiters.splice(0)) waiter.resolve({ done: true, value: undefined });
  }

  /** The stream broke; the chunks that came before are still read first. */
  fail(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#error = { value: error };
    else waiter.reject(error);
    for (const other of this.#waiters.splice(0)) other.resolve({ done: true, value: undefined });
  }

  /** Whether the stream holds a failure that no reader has seen. */
  get hasUnreadFailure(): boolean {
    return this.#error !== undefined;
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    if (this.#head < this.#chunks.length) {
      const value = this.#chunks[this.#head];
      const bytes = this.#sizes[this.#head] ?? 0;
      this.#chunks[this.#head++] = undefined;
      if (this.#head === this.#chunks.length) this.#clear();
      this.#consumed(bytes);
      return Promise.resolve({ done: false, value });
    }
    if (this.#error !== undefined) {
      const { value } = this.#error;
      this.#error = undefined;
      return Promise.reject(value);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** The consumer leaves early (`break`): the producer's `finally` blocks run. */
  return(): Promise<IteratorResult<unknown, undefined>> {
    if (!this.#ended) {
      this.end();
      this.#source.cancel();
    }
    this.#clear();
    this.#error = undefined;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #clear(): void {
    this.#chunks.length = 0;
    this.#sizes.length = 0;
    this.#head = 0;
  }

  #consumed(bytes: number): void {
    const chunks = this.#credit.consumed(bytes);
    if (chunks > 0 && !this.#ended) this.#source.credit(chunks);
  }
}
