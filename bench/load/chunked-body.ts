const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Reads the framing of a chunked body (RFC 9112, 7.1) as it comes, and counts what is inside. */
export class ChunkedBody {
  /** Bytes of the body, as far as the sizes of its chunks say. */
  bytes = 0;
  /** Bytes of the chunk at hand that are still to come, with the line end behind it. */
  #left = 0;
  #size = 0;
  #isLast = false;

  /** @returns whether the body is whole */
  read(data: Uint8Array): boolean {
    for (let at = 0; at < data.length; ) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, data.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      const byte = data[at++] as number;
      if (byte === LINE_FEED) {
        this.bytes += this.#size;
        this.#isLast = this.#size === 0;
        this.#left = this.#size + 2;
        this.#size = 0;
      } else if (byte !== CARRIAGE_RETURN) {
        this.#size = this.#size * 16 + Number.parseInt(String.fromCharCode(byte), 16);
      }
    }
    return this.#isLast && this.#left === 0;
  }
}
