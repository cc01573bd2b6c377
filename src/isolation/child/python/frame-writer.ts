import type { Duplex } from 'node:stream';
import { MAX_FRAMES, toMessage } from './message.ts';
import { type EncodedText, type HandleNumber, ValueEncoder } from './values/encode.ts';

/** Attachments of more bytes than this leave at once, so that they wait for no other frame. */
const LARGE_BYTES = 65_536;

/** Collects frames until the end of the loop's turn, and writes them in few messages. */
export class FrameWriter {
  readonly #socket: Duplex;
  readonly #handleNumber: HandleNumber;
  #frames: string[] = [];
  #encoder: ValueEncoder;
  #attachedBytes = 0;
  #isScheduled = false;

  constructor(socket: Duplex, handleNumber: HandleNumber) {
    this.#socket = socket;
    this.#handleNumber = handleNumber;
    this.#encoder = new ValueEncoder(handleNumber);
  }

  /**
   * Adds a frame. @param head the members before the value, as JSON text that ends with a comma
   * @throws ServeError `SERVE_NOT_SERIALIZABLE`
   */
  value(head: string, value: unknown, name: string, tail = ''): void {
    const encoder = this.#encoder;
    const before = encoder.attachments.length;
    const { text, marks }: EncodedText = encoder.encode(value, name);
    for (let index = before; index < encoder.attachments.length; index++)
      this.#attachedBytes += encoder.attachments[index]?.byteLength ?? 0;
    this.text(`[${head}${text},${marks === '' ? 0 : marks}${tail}]`);
  }

  /** Adds a frame that has no values. */
  text(frame: string): void {
    this.#frames.push(frame);
    if (this.#frames.length >= MAX_FRAMES || this.#attachedBytes > LARGE_BYTES) {
      this.flush();
    } else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(this.#flushScheduled);
    }
  }

  /** Writes what was collected. */
  flush(): void {
    const frames = this.#frames;
    if (frames.length === 0) return;
    const { attachments } = this.#encoder;
    this.#frames = [];
    this.#attachedBytes = 0;
    if (attachments.length > 0) this.#encoder = new ValueEncoder(this.#handleNumber);
    if (!this.#socket.writable) return;
    const parts = toMessage(frames, attachments);
    if (parts.length === 1) {
      this.#socket.write(parts[0]);
      return;
    }
    this.#socket.cork();
    for (const part of parts) this.#socket.write(part);
    this.#socket.uncork();
  }

  readonly #flushScheduled = (): void => {
    this.#isScheduled = false;
    this.flush();
  };
}
