import type { Frame } from './frames.ts';

/** The largest message, in bytes. */
export const MAX_MESSAGE = 268_435_456;
/** The most frames that share a message. */
export const MAX_FRAMES = 16;
/** Lengths of the header and of the attachments, as two `u32`. */
export const PREFIX_BYTES = 8;

const ALIGNMENT = 8;

/** A message that does not follow the protocol. */
export class BadMessageError extends Error {
  override readonly name = 'BadMessageError';
}

/** The number of bytes up to the next multiple of 8. */
function paddingOf(bytes: number): number {
  return -bytes & (ALIGNMENT - 1);
}

const ZEROS = new Uint8Array(ALIGNMENT);

/**
 * The buffers of one message, to be written one after the other.
 *
 * @param frames frames as JSON text
 * @throws BadMessageError if it is too large
 */
export function toMessage(frames: readonly string[], attachments: readonly Uint8Array[]): Uint8Array[] {
  let text = `[[${frames.join(',')}]`;
  if (attachments.length > 0) text += `,[${attachments.map(({ byteLength }) => byteLength).join(',')}]`;
  text += ']';
  const bytes = Buffer.byteLength(text);
  const headerBytes = bytes + paddingOf(bytes);
  const head = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes);
  head.write(text, PREFIX_BYTES, 'utf8');
  head.fill(' ', PREFIX_BYTES + bytes);
  const parts: Uint8Array[] = [head];
  let attached = 0;
  for (const attachment of attachments) {
    const padding = paddingOf(attachment.byteLength);
    if (attachment.byteLength > 0) parts.push(attachment);
    if (padding > 0) parts.push(ZEROS.subarray(0, padding));
    attached += attachment.byteLength + padding;
  }
  const total = head.byteLength + attached;
  if (total > MAX_MESSAGE)
    throw new BadMessageError(`a message of ${total} bytes exceeds the limit of ${MAX_MESSAGE}`);
  head.writeUInt32LE(headerBytes, 0);
  head.writeUInt32LE(attached, 4);
  return parts;
}

/** @throws BadMessageError for lengths that no message has */
export function checkPrefix(headerBytes: number, attachmentBytes: number): void {
  if (headerBytes % ALIGNMENT !== 0 || attachmentBytes % ALIGNMENT !== 0 || headerBytes === 0)
    throw new BadMessageError('the lengths of a message are no multiples of 8');
  if (headerBytes + attachmentBytes > MAX_MESSAGE)
    throw new BadMessageError(
      `a message of ${headerBytes + attachmentBytes} bytes exceeds the limit of ${MAX_MESSAGE}`,
    );
}

/** A message taken apart. */
export interface Message {
  readonly frames: readonly Frame[];
  readonly attachments: readonly Uint8Array<ArrayBuffer>[];
}

/**
 * Takes a message apart, given all bytes behind its prefix. The attachments are views of the body.
 *
 * @throws BadMessageError for a message that does not follow the protocol
 */
export function parseBody(body: Uint8Array<ArrayBuffer>, headerBytes: number): Message {
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(body.buffer, body.byteOffset, headerBytes).toString('utf8'));
  } catch (cause) {
    throw Object.assign(new BadMessageError('the header is no JSON'), { cause });
  }
  if (!Array.isArray(header) || header.length < 1 || header.length > 2 || !Array.isArray(header[0]))
    throw new BadMessageError('the header is no list of frames');
  const [frames, lengths = []] = header as [unknown[], unknown];
  for (const frame of frames)
    if (!Array.isArray(frame) || !Number.isInteger(frame[0]))
      throw new BadMessageError('a frame is no list that begins with its kind');
  if (!Array.isArray(lengths)) throw new BadMessageError('the lengths of the attachments are no list');
  const attachments: Uint8Array<ArrayBuffer>[] = [];
  let offset = headerBytes;
  for (const length of lengths as unknown[]) {
    if (!Number.isInteger(length) || (length as number) < 0 || offset + (length as number) > body.byteLength)
      throw new BadMessageError(`an attachment of ${String(length)} bytes does not fit its message`);
    attachments.push(body.subarray(offset, offset + (length as number)));
    offset += (length as number) + paddingOf(length as number);
  }
  if (offset !== body.byteLength)
    throw new BadMessageError(`the attachments end at ${offset}, the message at ${body.byteLength}`);
  return { frames: frames as unknown as Frame[], attachments };
}

/**
 * Splits a stream of bytes into messages. The body of each message is collected in memory of its own, into which the chunks are
 * copied once; typed arrays over it stay valid.
 */
export class MessageReader {
  readonly #prefix = Buffer.allocUnsafe(PREFIX_BYTES);
  #prefixFill = 0;
  #body: Uint8Array<ArrayBuffer> | undefined = undefined;
  #bodyFill = 0;
  #headerBytes = 0;

  /** Whether the stream ends within a message. */
  get isWithinMessage(): boolean {
    return this.#prefixFill > 0 || this.#body !== undefined;
  }

  /** Takes a chunk, and calls `receive` for each message that it completes. @throws BadMessageError */
  push(chunk: Uint8Array, receive: (message: Message) => void): void {
    let at = 0;
    while (at < chunk.byteLength) {
      if (this.#body === undefined) {
        const taken = Math.min(PREFIX_BYTES - this.#prefixFill, chunk.byteLength - at);
        this.#prefix.set(chunk.subarray(at, at + taken), this.#prefixFill);
        this.#prefixFill += taken;
        at += taken;
        if (this.#prefixFill < PREFIX_BYTES) return;
        this.#begin();
      }
      const body = this.#body as unknown as Uint8Array<ArrayBuffer>;
      const taken = Math.min(body.byteLength - this.#bodyFill, chunk.byteLength - at);
      body.set(
        at === 0 && taken === chunk.byteLength ? chunk : chunk.subarray(at, at + taken),
        this.#bodyFill,
      );
      this.#bodyFill += taken;
      at += taken;
      if (this.#bodyFill < body.byteLength) return;
      this.#body = undefined;
      receive(parseBody(body, this.#headerBytes));
    }
  }

  #begin(): void {
    const headerBytes = this.#prefix.readUInt32LE(0);
    const attachmentBytes = this.#prefix.readUInt32LE(4);
    checkPrefix(headerBytes, attachmentBytes);
    this.#headerBytes = headerBytes;
    this.#body = new Uint8Array(headerBytes + attachmentBytes);
    this.#bodyFill = 0;
    this.#prefixFill = 0;
  }
}
