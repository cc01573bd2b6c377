import type { Duplex } from 'node:stream';
import { PART_BYTES } from './large-sender.ts';
import { freeNow } from './sent-memory.ts';

/** Size from which a payload goes past the library, in bytes: copying a smaller one costs less. */
const LEAST_BYTES = 4_096;
/** Maximum size of a message; the library checks messages whose payloads it gets. */
const MAX_BYTES = 1_048_576;

/** First byte of a frame that ends a message of several frames. */
const LAST_CONTINUATION = 0x80;
const OPCODE = 0x0f;
const FIRST_CONTROL = 0x08;
const MASKED = 0x80;
const LENGTH = 0x7f;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const MASK_BYTES = 4;

/** In place of the number of bytes that may be read: more than that arrived. */
const EXCEEDED = -1;

const NOTHING = Buffer.alloc(0);
/** What the library gets of a frame whose payload goes past it. */
const EMPTY = Buffer.of(LAST_CONTINUATION, 0);
const EMPTY_MASKED = Buffer.of(LAST_CONTINUATION, MASKED, 0, 0, 0, 0);

type Listener = (bytes: Buffer) => void;

/**
 * Takes the payloads of parts out of the bytes of a WebSocket before `ws` gets them. It would copy each frame that arrives
 * in several reads into memory of its own, and V8 would collect that memory and what the socket has read into: 2 MiB for a
 * value of 1 MiB. `ws` gets such a frame as an empty one and all other bytes as they are: it still checks the protocol and
 * finds the messages.
 */
export class LargePayloads {
  #isActive = false;
  readonly #socket: Duplex;
  readonly #listener: Listener;
  /** The listener of the library. */
  readonly #next: Listener;
  /** Pieces of the payload that arrives. */
  #pieces: Uint8Array[] = [];
  /** Earlier reads that hold such pieces. */
  #reads: Buffer[] = [];
  /** Number of bytes of the payload that have not arrived. */
  #missing = 0;
  #emptied: Buffer = EMPTY;
  /** Number of bytes of the library's frame that have not arrived. */
  #passing = 0;
  /** A header that has not arrived completely. */
  #begun: Buffer = NOTHING;
  /** Size of the message, up to the frames that have begun. */
  #messageBytes = 0;
  /** Number of bytes that may still be read; undefined = any. */
  #allowed: number | undefined = undefined;
  #onExceeded: (() => void) | undefined = undefined;

  /**
   * @param socket the socket of a WebSocket that has just opened
   * @returns undefined if the library does not read the socket in the way that is known here: it then gets all bytes
   */
  static between(socket: Duplex): LargePayloads | undefined {
    const [next, ...others] = socket.listeners('data') as Listener[];
    return next === undefined || others.length > 0 ? undefined : new LargePayloads(socket, next);
  }

  /** @param next the listener of the library */
  private constructor(socket: Duplex, next: Listener) {
    this.#socket = socket;
    this.#next = (bytes) => Reflect.apply(next, socket, [bytes]);
    socket.off('data', next);
    // `removeListener` finds a listener by this property as well: the library removes its own.
    this.#listener = Object.assign((bytes: Buffer) => this.#read(bytes), { listener: next });
    socket.on('data', this.#listener);
    // The library reads what is left when a paused socket is destroyed, and would take the rest of a payload for frames.
    socket.prependListener('close', () => {
      const rest: Buffer | null = this.#isRead ? socket.read(socket.readableLength) : null;
      if (rest !== null) this.#read(rest);
    });
  }

  /** Takes payloads out from here on: each message is consumed while it is delivered. */
  start(): void {
    this.#isActive = true;
  }

  /** Limits the bytes that are read from now on; undefined ends the limit. Beyond it the connection ends. */
  limit(bytes: number | undefined, onExceeded?: () => void): void {
    this.#allowed = bytes;
    this.#onExceeded = onExceeded;
  }

  /** Whether the library still reads. */
  get #isRead(): boolean {
    return this.#socket.listenerCount('data', this.#listener) > 0;
  }

  /** The payload that ends the message which the library delivers at the moment; valid during the delivery. */
  get taken(): readonly Uint8Array[] {
    return this.#pieces;
  }

  #read(arrived: Buffer): void {
    if (this.#allowed !== undefined && !this.#isAllowed(this.#allowed - arrived.length)) return;
    const read = this.#begun.length === 0 ? arrived : Buffer.concat([this.#begun, arrived]);
    this.#begun = NOTHING;
    let hasTaken = false;
    /** Offset of the bytes that the library has not been given. */
    let from = 0;
    for (let at = 0; at < read.length; ) {
      if (this.#missing > 0) {
        hasTaken = true;
        at += this.#take(
          at === 0 && read.length <= this.#missing ? read : read.subarray(at, at + this.#missing),
        );
        from = at;
        if (this.#missing > 0) continue;
        this.#deliver();
        if (!this.#isRead) return;
      } else if (this.#passing > 0) {
        const bytes = Math.min(this.#passing, read.length - at);
        this.#passing -= bytes;
        at += bytes;
      } else {
        const length = headerLength(read, at);
        if (at + length > read.length) {
          this.#begun = Buffer.from(read.subarray(at));
          break;
        }
        if (this.#begin(read, at, length)) {
          if (at > from) this.#next(Buffer.from(read.subarray(from, at)));
          if (!this.#isRead) return;
          from = at + length;
        }
        at += length;
      }
    }
    this.#end(read, from, hasTaken);
  }

  /** @param left number of bytes that may be read after those that have arrived */
  #isAllowed(left: number): boolean {
    if (this.#allowed === EXCEEDED) return false;
    this.#allowed = left < 0 ? EXCEEDED : left;
    if (left >= 0) return true;
    this.#onExceeded?.();
    const socket = this.#socket;
    socket.end(() => socket.destroy());
    return false;
  }

  /** Begins the frame at `at`. @returns whether its payload is taken out */
  #begin(read: Buffer, at: number, length: number): boolean {
    const payload = payloadLength(read, at);
    const opcode = (read[at] as number) & OPCODE;
    if (opcode < FIRST_CONTROL) this.#messageBytes = (opcode === 0 ? this.#messageBytes : 0) + payload;
    const mask = isMasked(read, at) ? MASK_BYTES : 0;
    if (!mayBePart(read, at)) {
      this.#passing = mask + payload;
      return false;
    }
    // Links mask with zeros.
    const isPlain = mask === 0 || read.readUInt32BE(at + length - MASK_BYTES) === 0;
    if (!this.#isActive || !isPlain || this.#messageBytes > MAX_BYTES) {
      this.#passing = payload;
      return false;
    }
    this.#missing = payload;
    this.#emptied = mask === 0 ? EMPTY : EMPTY_MASKED;
    return true;
  }

  #take(piece: Uint8Array): number {
    this.#pieces.push(piece);
    this.#missing -= piece.length;
    return piece.length;
  }

  /** The payload is complete: the library delivers its message. */
  #deliver(): void {
    this.#next(this.#emptied);
    this.#pieces = [];
    for (const read of this.#reads) free(read);
    this.#reads = [];
  }

  /** Gives the library what is left of a read. @param from begin of the bytes that it has not got */
  #end(read: Buffer, from: number, hasTaken: boolean): void {
    const end = read.length - this.#begun.length;
    if (from === 0 && !hasTaken) {
      if (end > 0) this.#next(end === read.length ? read : read.subarray(0, end));
      return;
    }
    // A copy, so that only the pieces refer to the read.
    if (end > from) this.#next(Buffer.from(read.subarray(from, end)));
    if (this.#pieces.length > 0) this.#reads.push(read);
    else free(read);
  }
}

/** Frees what the socket has read into: it allocates memory for each read, which only the listener of the data gets. */
function free({ buffer, byteLength }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) freeNow([buffer]);
}

/**
 * Size of the header at `at`; more than there is if it has not arrived completely. The mask only counts for a frame that may
 * be taken out: the library refuses others without it.
 */
function headerLength(read: Buffer, at: number): number {
  if (at + 2 > read.length) return 2;
  const short = (read[at + 1] as number) & LENGTH;
  const length = short === LENGTH_16 ? 4 : short === LENGTH_64 ? 10 : 2;
  if (at + length > read.length) return length;
  return isMasked(read, at) && mayBePart(read, at) ? length + MASK_BYTES : length;
}

function isMasked(read: Buffer, at: number): boolean {
  return ((read[at + 1] as number) & MASKED) !== 0;
}

function mayBePart(read: Buffer, at: number): boolean {
  if (read[at] !== LAST_CONTINUATION) return false;
  const payload = payloadLength(read, at);
  return payload >= LEAST_BYTES && payload <= PART_BYTES;
}

function payloadLength(read: Buffer, at: number): number {
  const length = (read[at + 1] as number) & LENGTH;
  if (length === LENGTH_16) return read.readUInt16BE(at + 2);
  return length === LENGTH_64 ? read.readUInt32BE(at + 2) * 2 ** 32 + read.readUInt32BE(at + 6) : length;
}
