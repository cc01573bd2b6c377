import type { Duplex } from 'node:stream';
import { ServeError } from '../../../errors.ts';
import { MAX_FRAMES, MAX_MESSAGE, toMessage } from './message.ts';
import { type EncodedText, type HandleNumber, ValueEncoder } from './values/encode.ts';

/** Attachments of more bytes than this leave at once, so that they wait for no other frame. */
const LARGE_BYTES = 65_536;
/** The most bytes of one value: a message holds other frames as well, of less than `LARGE_BYTES` characters. */
const MAX_VALUE_BYTES = MAX_MESSAGE - 1_048_576;

/** Collects frames until the end of the loop's turn, and writes them in few messages. */
export class FrameWriter {
  readonly #socket: Duplex;
  readonly #handleNumber: HandleNumber;
  #frames: string[] = [];
  #encoder: ValueEncoder;
  #attachedBytes = 0;
  #characters = 0;
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
    let attached = 0;
    for (let index = before; index < encoder.attachments.length; index++)
      attached += encoder.attachments[index]?.byteLength ?? 0;
    const bytes = attached + bytesOf(text);
    if (bytes > MAX_VALUE_BYTES) {
      encoder.attachments.length = before;
      throw new ServeError(
        'SERVE_NOT_SERIALIZABLE',
        `${name} cannot cross to Python: it takes ${bytes} bytes, and a message holds at most ${MAX_VALUE_BYTES}`,
      );
    }
    this.#attachedBytes += attached;
    this.text(`[${head}${text},${marks === '' ? 0 : marks}${tail}]`);
  }

  /** Adds a frame that has no values. */
  text(frame: string): void {
    this.#characters += frame.length;
    if (
      this.#frames.push(frame) >= MAX_FRAMES ||
      this.#attachedBytes > LARGE_BYTES ||
      this.#characters > LARGE_BYTES
    ) {
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
    this.#characters = 0;
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

/** The bytes of a text; of one that is far from the limit only its characters, which are quicker to count. */
function bytesOf(text: string): number {
  return text.length * 3 > MAX_VALUE_BYTES ? Buffer.byteLength(text) : text.length;
}
