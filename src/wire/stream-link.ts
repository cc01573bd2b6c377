import type { Duplex } from 'node:stream';
import { MAX_MESSAGE_BYTES } from './link.ts';
import type { LinkSocket, LinkSocketEvents } from './link-socket.ts';
import { freeNow } from './sent-memory.ts';
import { FAULT, WireError } from './wire-error.ts';

const PREFIX_BYTES = 4;

/** Size from which the memory of a read is freed at once, in bytes. */
const LARGE_READ_BYTES = 16_384;

/** Size of the memory that short texts share, and the largest number of bytes that a character takes in it. */
const SLAB_BYTES = 65_536;
const UTF8_BYTES = 3;

const NOTHING = Buffer.alloc(0);

/** Carries messages over a stream of bytes, each after its length (4 bytes, big endian). Used for child processes. */
export class StreamLinkSocket implements LinkSocket {
  readonly #stream: Duplex;
  #events: LinkSocketEvents | undefined = undefined;
  readonly #framer: Framer;
  #error: Error | undefined = undefined;
  #isEnded = false;
  #slab: Buffer = NOTHING;
  #slabFill = 0;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#framer = new Framer((pieces) => this.#events?.message(pieces));
    stream.on('error', (error) => {
      this.#error ??= error;
    });
    stream.once('end', () => {
      this.#isEnded = true;
      stream.end();
    });
    stream.once('close', () => this.#closed());
  }

  get unsent(): number {
    return this.#stream.writableLength;
  }

  listen(events: LinkSocketEvents): void {
    const isFirst = this.#events === undefined;
    this.#events = events;
    if (isFirst) this.#stream.on('data', (bytes: Buffer) => this.#received(bytes));
  }

  send(pieces: readonly Uint8Array[], onWritten?: () => void): void {
    const stream = this.#stream;
    if (!stream.writable) return;
    const prefix = Buffer.allocUnsafe(PREFIX_BYTES);
    prefix.writeUInt32BE(pieces.reduce((bytes, { length }) => bytes + length, 0));
    stream.cork();
    stream.write(prefix);
    const last = pieces.length - 1;
    for (let index = 0; index <= last; index++) {
      stream.write(pieces[index], (error) => {
        if (index === last && !error) onWritten?.();
      });
    }
    process.nextTick(uncork, stream);
  }

  /** Sends a short text as one message, without memory of its own. */
  sendText(text: string): void {
    if (!this.#stream.writable) return;
    const most = PREFIX_BYTES + UTF8_BYTES * text.length;
    if (this.#slab.length - this.#slabFill < most) {
      this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, most));
      this.#slabFill = 0;
    }
    const start = this.#slabFill;
    const length = this.#slab.write(text, start + PREFIX_BYTES);
    this.#slab.writeUInt32BE(length, start);
    this.#slabFill = start + PREFIX_BYTES + length;
    this.#stream.write(this.#slab.subarray(start, this.#slabFill));
  }

  close(): void {
    this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  #received(bytes: Buffer): void {
    try {
      this.#framer.push(bytes);
    } catch (error) {
      this.#error = error as Error;
      this.#stream.destroy();
    }
  }

  #closed(): void {
    const isTorn = !this.#isEnded || this.#framer.isInside;
    this.#events?.closed(this.#error ?? (isTorn ? new Error('the stream broke off') : undefined));
  }
}

function uncork(stream: Duplex): void {
  stream.uncork();
}

/** What the stream has read at once. */
interface Read {
  readonly bytes: Buffer;
  /** Whether a message may refer to the memory. */
  isKept: boolean;
}

/**
 * Cuts a stream of bytes into messages. It keeps the received bytes of one message, and reserves no memory for the
 * rest. The memory of large messages, which come in several reads, is freed once they are delivered.
 */
class Framer {
  readonly #onMessage: (pieces: readonly Uint8Array[]) => void;
  #prefix: Buffer = NOTHING;
  #pieces: Uint8Array[] = [];
  /** The reads with the pieces. */
  #reads: Read[] = [];
  /** Number of bytes that the message still lacks; undefined while its length is unknown. */
  #missing: number | undefined = undefined;

  constructor(onMessage: (pieces: readonly Uint8Array[]) => void) {
    this.#onMessage = onMessage;
  }

  /** Whether a message has begun. */
  get isInside(): boolean {
    return this.#missing !== undefined || this.#prefix.length > 0;
  }

  /** @throws WireError */
  push(bytes: Buffer): void {
    const read: Read = { bytes, isKept: bytes.length < LARGE_READ_BYTES };
    for (let at = 0; at < bytes.length; ) {
      if (this.#missing === undefined) {
        if (this.#prefix.length === 0 && bytes.length - at >= PREFIX_BYTES) {
          this.#begin(bytes.readUInt32BE(at));
          at += PREFIX_BYTES;
          continue;
        }
        const needed = PREFIX_BYTES - this.#prefix.length;
        this.#prefix = Buffer.concat([this.#prefix, bytes.subarray(at, at + needed)]);
        at += needed;
        if (this.#prefix.length === PREFIX_BYTES) this.#begin(this.#prefix.readUInt32BE());
      } else {
        const piece = bytes.subarray(at, at + this.#missing);
        at += piece.length;
        this.#pieces.push(piece);
        this.#missing -= piece.length;
        if (this.#missing === 0) this.#end(read);
      }
    }
    if (this.#pieces.length > 0) this.#reads.push(read);
    else free(read);
  }

  #begin(length: number): void {
    this.#prefix = NOTHING;
    if (length === 0 || length > MAX_MESSAGE_BYTES)
      throw new WireError(
        FAULT.limit,
        `a message has ${length} bytes; at most ${MAX_MESSAGE_BYTES} are allowed`,
      );
    this.#missing = length;
  }

  /** @param read the read that ends the message */
  #end(read: Read): void {
    const pieces = this.#pieces;
    const reads = this.#reads;
    this.#pieces = [];
    this.#reads = [];
    this.#missing = undefined;
    this.#onMessage(pieces);
    if (pieces.length === 1) read.isKept = true;
    else for (const earlier of reads) free(earlier);
  }
}

function free({ bytes: { buffer, byteLength }, isKept }: Read): void {
  if (!isKept && buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) freeNow([buffer]);
}
