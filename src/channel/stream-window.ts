/** Maximum number of chunks on their way: enough to cover a round trip. */
const MAX_CHUNKS = 64;
/** Maximum number of bytes on their way; a larger chunk still passes alone. */
const MAX_BYTES = 262_144;

/**
 * Tracks how much of a stream is on its way: sent and not yet consumed. The producer of a stream waits for room, so a
 * slow reader stops it instead of filling memory.
 */
export class StreamWindow {
  readonly #maxChunks: number;
  readonly #sizes: number[] = [];
  #bytes = 0;
  #closed = false;
  #wake: (() => void) | undefined = undefined;

  constructor(maxChunks: number = MAX_CHUNKS) {
    this.#maxChunks = maxChunks;
  }

  get hasRoom(): boolean {
    return this.#closed || (this.#sizes.length < this.#maxChunks && this.#bytes < MAX_BYTES);
  }

  /** Bytes that were sent and are not yet consumed. */
  get bytes(): number {
    return this.#bytes;
  }

  sent(bytes: number): void {
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** The chunk that was sent last has become larger before it left. */
  grew(bytes: number): void {
    this.#sizes[this.#sizes.length - 1] = (this.#sizes.at(-1) ?? 0) + bytes;
    this.#bytes += bytes;
  }

  /** The reader consumed the oldest chunks. */
  credited(chunks: number): void {
    for (let count = 0; count < chunks; count++) this.#bytes -= this.#sizes.shift() ?? 0;
    this.#notify();
  }

  /** Resolves when there is room, or when the stream is over. */
  room(): Promise<void> {
    if (this.hasRoom) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** The stream has ended: releases every waiter. */
  close(): void {
    this.#closed = true;
    this.#notify();
  }

  #notify(): void {
    if (!this.hasRoom) return;
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

/** Consumed chunks are reported in groups: a credit per chunk would double the messages. */
const GROUP_CHUNKS = 16;
const GROUP_BYTES = 65_536;

/** Counts consumed chunks, and tells when to report them to the producer. */
export class CreditCounter {
  #chunks = 0;
  #bytes = 0;

  /** Returns the number of chunks to report now, mostly 0. */
  consumed(bytes: number): number {
    this.#chunks++;
    this.#bytes += bytes;
    if (this.#chunks < GROUP_CHUNKS && this.#bytes < GROUP_BYTES) return 0;
    const chunks = this.#chunks;
    this.#chunks = 0;
    this.#bytes = 0;
    return chunks;
  }
}
