import { CreditCounter } from '../../channel/stream-window.ts';
import type { HttpResponse } from '../exchange.ts';

/** Writes the body of an answer chunk by chunk as it arrives, no faster than the client reads. */
export class StreamedAnswer {
  readonly #res: HttpResponse;
  readonly #credit: (chunks: number) => void;
  readonly #counter = new CreditCounter();
  #isBlocked = false;
  /** The sizes of chunks that were written while the socket was full; they are credited when it drains. */
  #owed: number[] = [];

  /** @param credit allows the replica to send more chunks */
  constructor(res: HttpResponse, credit: (chunks: number) => void) {
    this.#res = res;
    this.#credit = credit;
    res.on('drain', this.#onDrain);
    queueMicrotask(this.#flushHead);
  }

  write(chunk: string | Uint8Array, bytes: number): void {
    const res = this.#res;
    if (!res.write(chunk)) this.#isBlocked = true;
    flush(res);
    if (this.#isBlocked) this.#owed.push(bytes);
    else this.#consumed(bytes);
  }

  readonly #onDrain = (): void => {
    this.#isBlocked = false;
    for (const bytes of this.#owed.splice(0)) this.#consumed(bytes);
  };

  /** Sends the head alone, if no chunk came in the same message and was sent with it. */
  readonly #flushHead = (): void => {
    const res = this.#res;
    if (res.headersSent || res.writableEnded || res.destroyed) return;
    res.flushHeaders();
    flush(res);
  };

  #consumed(bytes: number): void {
    const chunks = this.#counter.consumed(bytes);
    if (chunks > 0) this.#credit(chunks);
  }
}

/** Makes compression middleware send the bytes that it holds back. */
function flush(res: HttpResponse): void {
  const { flush: hook } = res as { readonly flush?: unknown };
  if (typeof hook === 'function') hook.call(res);
}
