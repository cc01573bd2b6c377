import { malformed } from './wire-error.ts';

/** Size of the prefix of each message, which holds the length of its head. */
const PREFIX_BYTES = 4;

/** Returns the head of a message with its length, in memory of its own. */
export function messageHead(head: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(PREFIX_BYTES + head.length);
  bytes.writeUInt32BE(head.length, 0);
  bytes.set(head, PREFIX_BYTES);
  return bytes;
}

/**
 * Splits a message into its head and the rest. Only the head of a message in one piece refers to the piece.
 *
 * @param pieces pieces of one message
 * @throws WireError
 */
export function headOf(pieces: readonly Uint8Array[]): { head: Uint8Array; rest: readonly Uint8Array[] } {
  const [first = new Uint8Array(0)] = pieces;
  const end = first.length < PREFIX_BYTES ? Infinity : PREFIX_BYTES + lengthOf(first);
  if (first.length >= end) {
    const rest = pieces.slice(1);
    const head = first.subarray(PREFIX_BYTES, end);
    return {
      head: rest.length > 0 ? new Uint8Array(head) : head,
      rest: first.length > end ? [first.subarray(end), ...rest] : rest,
    };
  }
  if (pieces.length < 2) throw malformed('a message ends before its head does');
  return headOf([Buffer.concat(pieces)]);
}

function lengthOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
}

/** The bytes after the head of a message. */
export class MessageBody {
  readonly #pieces: Uint8Array[];
  /** Index of the first piece that was not taken. */
  #at = 0;
  left: number;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = [...pieces];
    this.left = pieces.reduce((bytes, { length }) => bytes + length, 0);
  }

  /** Takes the next bytes. @throws WireError */
  take(bytes: number): Uint8Array[] {
    if (bytes > this.left)
      throw malformed(`a part has ${bytes} bytes, but the message has ${this.left} left`);
    this.left -= bytes;
    const taken: Uint8Array[] = [];
    for (let missing = bytes; missing > 0; ) {
      const piece = this.#pieces[this.#at] as Uint8Array;
      const isWhole = piece.length <= missing;
      taken.push(isWhole ? piece : piece.subarray(0, missing));
      if (isWhole) this.#at++;
      else this.#pieces[this.#at] = piece.subarray(missing);
      missing -= Math.min(missing, piece.length);
    }
    return taken;
  }
}
