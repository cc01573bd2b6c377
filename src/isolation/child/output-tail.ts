/** Number of bytes of the output that are kept. */
const TAIL_BYTES = 4_096;

/** Keeps the end of a child's output, which often says why the child ended. */
export class OutputTail {
  #bytes: Buffer = Buffer.alloc(0);

  add(bytes: Buffer): void {
    const last = bytes.subarray(-TAIL_BYTES);
    const before = this.#bytes.subarray(Math.max(0, this.#bytes.length + last.length - TAIL_BYTES));
    this.#bytes = Buffer.concat([before, last]);
  }

  /** The last 4 KiB as text. The first character may have been cut. */
  get text(): string {
    return this.#bytes.toString('utf8').replace(/^\uFFFD+/, '');
  }
}
