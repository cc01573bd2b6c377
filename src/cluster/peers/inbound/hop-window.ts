/** Chunks and bytes of a stream that may be under way on a link, as on any other hop. */
const MAX_CHUNKS = 64;
const MAX_BYTES = 262_144;

/** Chunks are credited in groups of half a window: 0.95 of the CPU time of groups of 16. */
const GROUP_CHUNKS = 32;
const GROUP_BYTES = 65_536;

/**
 * The window of a stream on a link, beside the window between the replica and this thread: a chunk is credited to the replica as
 * soon as the link has room for it. With one window for both hops the replica, this thread and the reader waited for each
 * other, at 1.4 times the CPU time per chunk (`docs/decisions/028-stream-windows.md`).
 */
export class HopWindow {
  /** Sizes of the chunks that left and were not read, in order. */
  readonly #sizes: number[] = [];
  /** Number of these chunks that have room on the link, which are the first ones, and their bytes. */
  #inside = 0;
  #insideBytes = 0;
  /** Chunks that are to be credited with the next group, and their bytes. */
  #group = 0;
  #groupBytes = 0;

  /** A chunk left. @returns the number of chunks to credit to the producer now, mostly 0 */
  passed(bytes: number): number {
    this.#sizes.push(bytes);
    return this.#take();
  }

  /** The reader consumed the oldest chunks. @returns the number of chunks to credit to the producer now */
  consumed(chunks: number): number {
    for (let count = 0; count < chunks; count++) {
      const bytes = this.#sizes.shift();
      if (bytes === undefined) break;
      if (this.#inside === 0) {
        this.#add(bytes);
      } else {
        this.#inside--;
        this.#insideBytes -= bytes;
      }
    }
    return this.#take();
  }

  #take(): number {
    while (this.#inside < this.#sizes.length && this.#inside < MAX_CHUNKS && this.#insideBytes < MAX_BYTES) {
      const bytes = this.#sizes[this.#inside++] as number;
      this.#insideBytes += bytes;
      this.#add(bytes);
    }
    if (this.#group < GROUP_CHUNKS && this.#groupBytes < GROUP_BYTES) return 0;
    const chunks = this.#group;
    this.#group = 0;
    this.#groupBytes = 0;
    return chunks;
  }

  #add(bytes: number): void {
    this.#group++;
    this.#groupBytes += bytes;
  }
}
