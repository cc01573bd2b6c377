import type { CloseEnvelope, SocketEnvelope, SocketFrame } from '../../channel/http-envelope.ts';
import { ServeError } from '../../errors.ts';
import { isThenable, whenSettled } from '../../validation/thenable.ts';
import { NO_ENCODING } from '../../values/transfer.ts';
import type { RunningCall, StreamListener, UploadListener } from '../running-call.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { SendBuffer } from './send-buffer.ts';
import type { SocketClose, SocketMessage } from './server-web-socket.ts';

export const SOCKET_STATE = { connecting: 0, open: 1, closing: 2, closed: 3 } as const;
type SocketState = (typeof SOCKET_STATE)[keyof typeof SOCKET_STATE];

/** What the socket of user code hears of. */
export interface ConversationEvents {
  opened(): void;
  closed(how: SocketClose): void;
}

/** The connection was lost. */
const LOST: CloseEnvelope = [1006, '', false];

/**
 * A WebSocket at the replica's end: a call whose result and whose upload are both streams of messages. It is over when the
 * connection is closed and the user's method has ended.
 */
export class WebSocketSession implements StreamListener, UploadListener {
  readonly inbox: ReceiveBuffer;
  readonly outbox: SendBuffer;
  readonly protocol: string;
  readonly #call: RunningCall;
  readonly #over = Promise.withResolvers<void>();
  #events: ConversationEvents | undefined = undefined;
  #state: SocketState = SOCKET_STATE.connecting;
  #hasReturned = false;
  #failure: { readonly error: unknown } | undefined = undefined;
  /** How the client closes, while what it has sent before is still being answered. */
  #goodbye: CloseEnvelope | undefined = undefined;

  constructor(call: RunningCall, [protocol, bufferLimit]: SocketEnvelope) {
    this.#call = call;
    this.protocol = protocol;
    this.inbox = new ReceiveBuffer((chunks) => call.inbound.credit(chunks));
    this.outbox = new SendBuffer(call.inbound, bufferLimit, {
      overflowed: () => this.#cut('the client reads too slowly'),
      failed: (error) => this.fail(error),
    });
    call.streamTo(this);
    call.uploadTo(this);
  }

  get state(): SocketState {
    return this.#state;
  }

  listen(events: ConversationEvents): void {
    this.#events = events;
  }

  /**
   * Opens the connection, unless user code has refused it already, and waits for its end.
   *
   * @param result what `websocket()` returned. What it throws before its first `await` refuses the connection.
   * @throws what user code threw
   */
  until(result: unknown): Promise<void> {
    if (isThenable(result)) {
      whenSettled(
        result,
        () => this.#returned(),
        (error) => this.#threw(error),
      );
    } else {
      this.#hasReturned = true;
    }
    // Behind a rejection that is there already.
    queueMicrotask(() => this.open());
    return this.#over.promise;
  }

  open(): void {
    if (this.#state !== SOCKET_STATE.connecting) return;
    this.#state = SOCKET_STATE.open;
    this.#call.inbound.open(undefined, NO_ENCODING);
    this.#events?.opened();
  }

  send(message: string | Uint8Array | Blob): void {
    this.open();
    if (this.#state !== SOCKET_STATE.open) return;
    if (message instanceof Blob) this.outbox.sendBlob(message);
    else this.outbox.send(message);
  }

  close(code: number, reason: string): void {
    this.open();
    if (this.#state !== SOCKET_STATE.open) return;
    this.#state = SOCKET_STATE.closing;
    this.outbox.close([code, reason, true]);
  }

  /** A listener threw. */
  failed(error: unknown): void {
    this.#fail(error);
    this.close(1011, '');
  }

  chunk(value: unknown): void {
    const frame = value as SocketFrame;
    if (typeof frame === 'string') this.#received(frame);
    else if (frame instanceof Uint8Array) this.#received(frame.buffer as ArrayBuffer);
    else this.#leaves(frame);
  }

  end(): void {
    this.#end(this.#goodbye ?? LOST);
  }

  credited(chunks: number): void {
    this.outbox.credited(chunks);
  }

  /** The host gave the call up. */
  stop(): void {
    this.#end(LOST);
  }

  /** What was to be sent cannot be. */
  fail(error: Error): void {
    if (this.#state === SOCKET_STATE.closed) return;
    this.#fail(error);
    this.#cut('');
  }

  drain(): void {
    this.close(1012, 'service restart');
  }

  #received(message: SocketMessage): void {
    // As the standard has it: from `close()` on nothing is heard but the end.
    if (this.#state === SOCKET_STATE.open) this.inbox.push(message);
  }

  /** The client closes. It is answered when its messages were read, and code that answers them at once has done so. */
  #leaves(how: CloseEnvelope): void {
    const [, , isClean] = how;
    if (!isClean || this.#state !== SOCKET_STATE.open) {
      this.#closed(how);
      return;
    }
    this.#goodbye = how;
    this.inbox.onceRead(() => setImmediate(() => this.#answerGoodbye(how)));
  }

  #answerGoodbye(how: CloseEnvelope): void {
    if (this.#state === SOCKET_STATE.open) this.outbox.close(how);
    this.#closed(how);
  }

  #cut(reason: string): void {
    if (this.#state === SOCKET_STATE.closed) return;
    this.#state = SOCKET_STATE.closing;
    this.outbox.cut([1006, reason, false]);
  }

  /** The connection is gone: what waits to be sent is lost. */
  #end(how: CloseEnvelope): void {
    this.#closed(how);
    this.outbox.end();
    this.#settle();
  }

  #closed([code, reason, wasClean]: CloseEnvelope): void {
    const { state } = this;
    if (state === SOCKET_STATE.closed) return;
    this.#state = SOCKET_STATE.closed;
    this.outbox.finish(() => this.#settle());
    this.inbox.end();
    if (state !== SOCKET_STATE.closing) this.#call.departed();
    this.#events?.closed({ code, reason, wasClean });
    this.#settle();
  }

  #returned(): void {
    this.#hasReturned = true;
    // Who reads in a loop and has left it has nothing more to say; listeners may live on.
    if (this.inbox.wasIterated) this.close(1000, '');
    this.#settle();
  }

  #threw(error: unknown): void {
    this.#hasReturned = true;
    if (this.#state === SOCKET_STATE.connecting) {
      this.#state = SOCKET_STATE.closed;
      this.#over.reject(error);
      return;
    }
    this.failed(error);
    this.#settle();
  }

  #fail(error: unknown): void {
    // What was under way for a client that left ends like this.
    const isCancelled = error instanceof ServeError && error.code === 'SERVE_CANCELLED';
    if (isCancelled && this.#state === SOCKET_STATE.closed) return;
    this.#failure ??= { error };
  }

  #settle(): void {
    if (this.#state !== SOCKET_STATE.closed || !this.#hasReturned || !this.outbox.isFinished) return;
    if (this.#failure === undefined) this.#over.resolve();
    else this.#over.reject(this.#failure.error);
  }
}
