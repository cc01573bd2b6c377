/** The owner of a frame whose large binaries a link sends. */
export interface LargeOwner {
  /** The socket has taken the last byte of these binaries, and reads them no more. Not called for a frame that is dropped. */
  written(binaries: readonly ArrayBuffer[]): void;
}

/** Buffers of calls that may be sent again and were not written before: a socket may still read them. */
const unwritten = new WeakSet<ArrayBuffer>();

/**
 * Frees buffers at once, by detaching them. Garbage would do it later: V8 runs a full collection for about every 12 MiB of
 * buffers, which took a third of the CPU time of a caller that sends 1 MiB with each call.
 */
export function freeNow(buffers: readonly ArrayBuffer[]): void {
  for (const buffer of buffers) if (!buffer.detached && !unwritten.has(buffer)) buffer.transfer(0);
}

/** The owner of values that are passed on once and that nothing else refers to. */
export const PASSED_ON: LargeOwner = { written: freeNow };

/** The memory of a call's arguments, which lives until the link has written it and the peer has answered the call. */
export class SentArguments implements LargeOwner {
  readonly #buffers: readonly ArrayBuffer[];
  #isWritten = false;
  #isAnswered = false;

  /** @param buffers the copies that were made for the call, or memory that was given away with it */
  constructor(buffers: readonly ArrayBuffer[]) {
    this.#buffers = buffers;
  }

  written(): void {
    this.#isWritten = true;
    if (this.#isAnswered) freeNow(this.#buffers);
  }

  /** The call is not sent again. */
  answered(): void {
    this.#isAnswered = true;
    if (this.#isWritten) freeNow(this.#buffers);
  }

  /** The call may be sent again, perhaps over another link. */
  returned(): void {
    if (!this.#isWritten) for (const buffer of this.#buffers) unwritten.add(buffer);
  }
}
