import type { CloseEnvelope, SocketEnvelope, SocketFrame } from '../../channel/http-envelope.ts';
import { ServeError } from '../../errors.ts';
import { isThenable, whenSettled } from '../../validation/thenable.ts';
import { NO_ENCODING } from '../../values/transfer.ts';
import type { RunningCall, StreamListener, UploadListener } from '../running-call.ts';
import { ReceiveBuffer } from './receive-buffer.ts';
import { SendBuffer, type SendBufferOwner } from './send-buffer.ts';
import type { SocketClose, SocketMessage } from './server-web-socket.ts';

export const SOCKET_STATE = { connecting: 0, open: 1, closing: 2, closed: 3 } as const;
type SocketState = (typeof SOCKET_STATE)[keyof typeof SOCKET_STATE];

/** Receives the events of a session. */
export interface SessionListener {
  opened(): void;
  closed(how: SocketClose): void;
}

/** The connection was lost. */
const LOST: CloseEnvelope = [1006, '', false];

/**
 * A WebSocket at the replica's end: a call whose result and whose upload are both streams of messages. It ends when the
 * connection is closed and the user's method has ended.
 */
export class WebSocketSession implements StreamListener, UploadListener, SendBufferOwner {
  readonly inbox: ReceiveBuffer;
  readonly outbox: SendBuffer;
  readonly protocol: string;
  readonly #call: RunningCall;
  readonly #over = Promise.withResolvers<void>();
  #listener: SessionListener | undefined = undefined;
  #state: SocketState = SOCKET_STATE.connecting;
  #hasReturned = false;
  #failure: { readonly error: unknown } | undefined = undefined;
  /** The client's close frame, while its earlier messages are still being answered. */
  #goodbye: CloseEnvelope | undefined = undefined;

  constructor(call: RunningCall, [protocol, bufferLimit]: SocketEnvelope) {
    this.#call = call;
    this.protocol = protocol;
    this.inbox = new ReceiveBuffer((chunks) => call.inbound.credit(chunks));
    this.outbox = new SendBuffer(call.inbound, bufferLimit, this);
    call.streamTo(this);
    call.uploadTo(this);
  }

  get state(): SocketState {
    return this.#state;
  }

  listen(listener: SessionListener): void {
    this.#listener = listener;
  }

  /**
   * Opens the connection, unless user code has refused it already, and waits for its end.
   *
   * @param result the result of `websocket()`. An error thrown before its first `await` refuses the connection.
   * @throws the error of user code
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
    // Deferred, so that a rejection that already exists comes first.
    queueMicrotask(() => this.open());
    return this.#over.promise;
  }

  open(): void {
    if (this.#state !== SOCKET_STATE.connecting) return;
    this.#state = SOCKET_STATE.open;
    this.#call.inbound.open(undefined, NO_ENCODING);
    this.#listener?.opened();
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

  /** Ends the session because a listener threw. */
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

  /** Ends the session because the host gave the call up. */
  cancel(): void {
    this.#end(LOST);
  }

  /** Ends the session because a message cannot be sent. */
  fail(error: Error): void {
    if (this.#state === SOCKET_STATE.closed) return;
    this.#fail(error);
    this.#cut('');
  }

  overflowed(): void {
    this.#cut('the client reads too slowly');
  }

  drain(): void {
    this.close(1012, 'service restart');
  }

  #received(message: SocketMessage): void {
    // According to the standard, no event but the end follows after `close()`.
    if (this.#state === SOCKET_STATE.open) this.inbox.push(message);
  }

  /** Handles the client's close frame. It is answered once its messages are read and code that answers at once has done so. */
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
    this.outbox.destroy([1006, reason, false]);
  }

  /** Notes that the connection has ended. Messages that wait to be sent are lost. */
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
    this.#listener?.closed({ code, reason, wasClean });
    this.#settle();
  }

  #returned(): void {
    this.#hasReturned = true;
    // An iterating handler that returned is finished: close normally. Event listeners keep the socket open.
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
    // Work for a client that left ends with this error.
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
