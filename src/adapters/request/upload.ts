import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { StreamWindow } from '../../channel/stream-window.ts';
import { ServeError } from '../../errors.ts';
import { LARGE_BYTES } from '../../values/memory.ts';
import type { HttpCall } from '../http-call.ts';

export function tooLarge(limit: number): ServeError {
  const what = `the request body is larger than bodyLimit (${limit} bytes)`;
  return new ServeError('SERVE_PAYLOAD_TOO_LARGE', what, { detail: what });
}

/** The length of the body as declared by the client; undefined for a chunked body. */
export function declaredLength(req: IncomingMessage): number | undefined {
  const given = req.headers['content-length'];
  if (given !== undefined) return Number(given);
  // A body of HTTP/2 needs neither header.
  const isFramed = req.headers['transfer-encoding'] !== undefined || req.httpVersionMajor > 1;
  return isFramed ? undefined : 0;
}

/** Whether a body is small enough to be read first and sent with the call. */
export function isSmall(length: number | undefined): boolean {
  return length !== undefined && length <= LARGE_BYTES;
}

/** A body on its way from the client. */
export interface Upload {
  /** Reads and drops the rest of the body, which would otherwise block the connection. */
  close(): void;
}

/** The body of a small request, read before the call is sent. */
export class SmallBody implements Upload {
  readonly #source: Readable;
  readonly #onRead: (body: Uint8Array) => void;
  #chunks: Uint8Array[] = [];

  constructor(source: Readable, onRead: (body: Uint8Array) => void) {
    this.#source = source;
    this.#onRead = onRead;
    source.on('data', this.#onData);
    source.on('end', this.#onEnd);
    unpause(source);
  }

  close(): void {
    this.#chunks = [];
    drop(this.#source, this.#onData, this.#onEnd);
  }

  readonly #onData = (chunk: Buffer | string): void => {
    this.#chunks.push(ownBytes(chunk, this.#source));
  };

  readonly #onEnd = (): void => {
    const [first, ...others] = this.#chunks;
    this.#onRead(
      first !== undefined && others.length === 0 ? first : new Uint8Array(Buffer.concat(this.#chunks)),
    );
  };
}

/**
 * Streams a request body to the replica as fast as user code reads it. A client that sends faster is slowed down by TCP.
 */
export class BodyUpload implements Upload {
  readonly #source: Readable;
  readonly #call: HttpCall;
  readonly #limit: number;
  readonly #isOwn: boolean;
  readonly #window = new StreamWindow();
  #received = 0;
  #state: 'untouched' | 'started' | 'stopped' = 'untouched';

  /** @param isOwn whether no other handler reads the source, so that it may be destroyed */
  constructor(source: Readable, call: HttpCall, limit: number, isOwn = false) {
    this.#source = source;
    this.#call = call;
    this.#limit = limit;
    this.#isOwn = isOwn;
  }

  start(): void {
    if (this.#state !== 'untouched') return;
    this.#state = 'started';
    this.#source.on('data', this.#onData);
    this.#source.on('end', this.#onEnd);
    unpause(this.#source);
  }

  close(): void {
    // A source that was never read may still belong to another handler.
    if (this.#isOwn) this.#source.destroy();
    else if (this.#state === 'started') drop(this.#source, this.#onData, this.#onEnd);
    this.#state = 'stopped';
  }

  /** Whether nothing was read, so that the request can still go to another handler. */
  get isUntouched(): boolean {
    return this.#state === 'untouched';
  }

  credited(chunks: number): void {
    this.start();
    if (this.#state !== 'started') return;
    this.#window.credited(chunks);
    if (this.#window.hasRoom) this.#source.resume();
  }

  readonly #onEnd = (): void => this.#call.endUpload();

  readonly #onData = (chunk: Buffer | string): void => {
    const own = ownBytes(chunk, this.#source);
    this.#received += own.byteLength;
    if (this.#received > this.#limit) {
      this.#call.destroy(tooLarge(this.#limit));
      return;
    }
    const transfer = own.byteLength >= LARGE_BYTES ? [own.buffer] : undefined;
    this.#window.sent(own.byteLength);
    this.#call.upload(own, { marks: undefined, transfer, bytes: own.byteLength });
    if (!this.#window.hasRoom) this.#source.pause();
  };
}

/** Copies the bytes of a chunk, which is a slice of the socket's 64 KiB buffer. */
function ownBytes(chunk: Buffer | string, source: Readable): Uint8Array<ArrayBuffer> {
  // Chunks are strings if middleware called `setEncoding`.
  return new Uint8Array(
    typeof chunk === 'string' ? Buffer.from(chunk, source.readableEncoding ?? 'utf8') : chunk,
  );
}

/** Resumes a request that middleware in front has paused; adding a listener alone does not resume it. */
function unpause(source: Readable): void {
  if (source.readableFlowing === false) source.resume();
}

function drop(source: Readable, onData: (chunk: Buffer) => void, onEnd: () => void): void {
  source.off('data', onData);
  source.off('end', onEnd);
  if (!source.readableEnded) source.resume();
}
