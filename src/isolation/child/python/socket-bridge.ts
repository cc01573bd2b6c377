import { ServeError } from '../../../errors.ts';
import type { ServerWebSocket, SocketMessage } from '../../../replica/ingress/server-web-socket.ts';
import type { LentObject } from './incoming-calls.ts';

/** A message, or the end of the connection. */
type Received =
  | readonly [message: string | Uint8Array]
  | readonly [message: null, code: number, reason: string];

/** A promise that a caller in Python may give up. */
type Cancellable<T> = Promise<T> & { cancel(): void };

/** The socket of a connection as Python uses it: by calls that each ask for one message, or send one. */
export class SocketBridge {
  readonly #socket: ServerWebSocket;
  readonly #messages: AsyncIterator<SocketMessage>;
  /** The next message, which has not been read yet. */
  #next: Promise<IteratorResult<SocketMessage>> | undefined = undefined;

  constructor(socket: ServerWebSocket) {
    this.#socket = socket;
    this.#messages = socket[Symbol.asyncIterator]();
  }

  /** The methods that Python calls. */
  get methods(): LentObject {
    return {
      receive: { remote: () => this.#receive() },
      send: { remote: (message) => cancellable(this.#send(message as string | Uint8Array)) },
      close: { remote: (code, reason) => cancellable(this.#close(code as number, reason as string)) },
    };
  }

  /** A message whose receiver has given up is for the next receiver. */
  #receive(): Cancellable<Received> {
    let isGivenUp = false;
    this.#next ??= this.#messages.next();
    const received = this.#next.then(async ({ value, done }): Promise<Received> => {
      if (done === true) {
        const { code, reason } = await this.#socket.closed;
        return [null, code, reason];
      }
      if (!isGivenUp) this.#next = undefined;
      return [typeof value === 'string' ? value : new Uint8Array(value)];
    });
    return cancellable(received, () => {
      isGivenUp = true;
    });
  }

  /** Resolves once there is room for more. */
  async #send(message: string | Uint8Array): Promise<void> {
    const { readyState, OPEN } = this.#socket;
    if (readyState !== OPEN) throw new ServeError('SERVE_CANCELLED', 'the WebSocket is closed');
    this.#socket.send(message);
    await this.#socket.drained();
  }

  async #close(code: number, reason: string): Promise<void> {
    this.#socket.close(code, reason);
  }
}

function cancellable<T>(promise: Promise<T>, cancel: () => void = () => {}): Cancellable<T> {
  return Object.assign(promise, { cancel });
}
