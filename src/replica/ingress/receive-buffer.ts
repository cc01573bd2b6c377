import { CreditCounter } from '../../channel/stream-window.ts';
import type { SocketMessage } from './server-web-socket.ts';

type Result = IteratorResult<SocketMessage, undefined>;

const DONE: Result = { done: true, value: undefined };

/**
 * The messages of a WebSocket on their way to user code. A message goes to the code that waits for the next one, else to the
 * listeners, else it waits here. It is credited when it is taken, so a client whose messages are not taken is stopped.
 */
export class ReceiveBuffer {
  readonly #onConsumed: (chunks: number) => void;
  readonly #credit = new CreditCounter();
  readonly #waiting: SocketMessage[] = [];
  readonly #readers: ((result: Result) => void)[] = [];
  #listener: ((message: SocketMessage) => void) | undefined = undefined;
  #isEnded = false;
  #wasIterated = false;
  /** The number of loops over the messages that were not left. */
  #loops = 0;
  #onRead: (() => void) | undefined = undefined;

  /** @param onConsumed called with the number of messages that were taken and must be credited */
  constructor(onConsumed: (chunks: number) => void) {
    this.#onConsumed = onConsumed;
  }

  /** Whether the next message was ever asked for. */
  get wasIterated(): boolean {
    return this.#wasIterated;
  }

  push(message: SocketMessage): void {
    if (this.#waiting.length > 0) {
      this.#waiting.push(message);
      return;
    }
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      this.#consumed(message);
      reader({ done: false, value: message });
    } else if (this.#listener !== undefined) {
      this.#consumed(message);
      this.#listener(message);
    } else {
      this.#waiting.push(message);
    }
  }

  /** Calls `listener` once the received messages are read, or no code is left to read them. */
  onceRead(listener: () => void): void {
    this.#onRead = listener;
    this.#look();
  }

  /** Notes that no more messages arrive. Waiting messages can still be read. */
  end(): void {
    this.#isEnded = true;
    for (const reader of this.#readers.splice(0)) reader(DONE);
  }

  /** Sets the receiver of messages that no loop takes. Waiting messages follow in a later turn, when all listeners are added. */
  listen(listener: (message: SocketMessage) => void): void {
    if (this.#listener !== undefined) return;
    this.#listener = listener;
    queueMicrotask(() => {
      for (const message of this.#waiting.splice(0)) {
        this.#consumed(message);
        listener(message);
      }
    });
  }

  iterate(): AsyncIterator<SocketMessage, undefined> {
    this.#wasIterated = true;
    this.#loops++;
    let isLeft = false;
    return {
      next: () => (isLeft ? Promise.resolve(DONE) : this.#next()),
      // The socket stays open, because another loop may continue where this one was left.
      return: () => {
        if (!isLeft) this.#loops--;
        isLeft = true;
        this.#look();
        return Promise.resolve(DONE);
      },
    };
  }

  #next(): Promise<Result> {
    const message = this.#waiting.shift();
    if (message !== undefined) {
      this.#consumed(message);
      return Promise.resolve({ done: false, value: message });
    }
    if (this.#isEnded) return Promise.resolve(DONE);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  #look(): void {
    const isReading = this.#listener !== undefined || this.#loops > 0;
    if (this.#waiting.length > 0 && isReading) return;
    this.#onRead?.();
    this.#onRead = undefined;
  }

  #consumed(message: SocketMessage): void {
    this.#look();
    const chunks = this.#credit.consumed(typeof message === 'string' ? message.length : message.byteLength);
    if (chunks > 0 && !this.#isEnded) this.#onConsumed(chunks);
  }
}
