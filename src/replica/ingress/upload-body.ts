import { CreditCounter } from '../../channel/stream-window.ts';
import type { RunningCall, UploadListener } from '../running-call.ts';

/**
 * A request body that the caller streams. Chunks are credited when they are consumed, so a body that is not read stops the
 * client instead of filling memory.
 */
export class UploadBody implements UploadListener {
  readonly #call: RunningCall;
  readonly #credit = new CreditCounter();
  readonly #chunks: Uint8Array[] = [];
  #started = false;
  #ended = false;
  #error: Error | undefined = undefined;
  #onChange: () => void = () => {};

  constructor(call: RunningCall) {
    this.#call = call;
    call.uploadTo(this);
  }

  chunk(value: unknown): void {
    this.#chunks.push(value as Uint8Array);
    this.#onChange();
  }

  end(): void {
    this.#ended = true;
    this.#onChange();
  }

  failed(error: Error): void {
    this.#error ??= error;
    this.#onChange();
  }

  /** Returns the next chunk, or undefined at the end. @throws if the client has left */
  async next(): Promise<Uint8Array | undefined> {
    if (!this.#started) {
      this.#started = true;
      // A caller that sends lazily waits for this credit.
      if (this.#call.inbound.upload === 'lazy') this.#call.inbound.credit(0);
    }
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        const consumed = this.#credit.consumed(chunk.byteLength);
        if (consumed > 0) this.#call.inbound.credit(consumed);
        return chunk;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
    }
  }

  /** The whole body. */
  async bytes(): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (let chunk = await this.next(); chunk !== undefined; chunk = await this.next()) {
      chunks.push(chunk);
      length += chunk.byteLength;
    }
    const whole = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      whole.set(chunk, at);
      at += chunk.byteLength;
    }
    return whole;
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream(
      {
        pull: async (controller) => {
          const chunk = await this.next();
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        },
      },
      { highWaterMark: 0 },
    );
  }
}
