/** A message of a WebSocket: text, or bytes. */
export type SocketMessage = string | ArrayBuffer;

/** The end of a WebSocket, with the fields of the standard's `CloseEvent`. */
export interface SocketClose {
  /** 1005 if the client gave none, 1006 if the connection was lost. */
  readonly code: number;
  readonly reason: string;
  /** Whether both sides sent a close frame. */
  readonly wasClean: boolean;
}

/** Event of a message. */
export interface SocketMessageEvent extends Event {
  readonly data: SocketMessage;
}

/** Event of the end of a connection. */
export interface SocketCloseEvent extends Event, SocketClose {}

/** The events of a socket by type. */
export interface SocketEventMap {
  open: Event;
  message: SocketMessageEvent;
  error: Event;
  close: SocketCloseEvent;
}

type Handler<K extends keyof SocketEventMap> = ((event: SocketEventMap[K]) => unknown) | null;

/**
 * The client's WebSocket as an ingress gets it in `websocket(socket, request)`: it has the standard interface, is already open,
 * and is an async iterable of its messages.
 *
 * Messages that arrive before there is a listener are kept, and a reader that is slower than the client slows the client down.
 * A listener that throws, also an async one, closes only this connection, with 1011.
 */
export interface ServerWebSocket extends EventTarget, AsyncIterable<SocketMessage> {
  /** 1 open, 2 closing, 3 closed. */
  readonly readyState: number;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;
  /** URL of the request. */
  readonly url: string;
  /** The sub-protocol that was agreed on; empty if none was. */
  readonly protocol: string;
  /** Always empty, because the host handles extensions. */
  readonly extensions: string;
  /** Bytes that were sent and have not left the host yet. */
  readonly bufferedAmount: number;
  /** Binary messages are `ArrayBuffer`s; the standard's `'blob'` is refused. */
  binaryType: 'arraybuffer';
  onopen: Handler<'open'>;
  onmessage: Handler<'message'>;
  onerror: Handler<'error'>;
  onclose: Handler<'close'>;
  /** Resolves with the end of the connection once it has ended. Never rejects. */
  readonly closed: Promise<SocketClose>;
  /**
   * Sends text, or a copy of bytes. It has no effect once the socket is closing. The connection is cut if more than `bufferLimit`
   * bytes wait for a client that does not read: see `drained()`.
   *
   * @throws TypeError for anything else
   */
  send(data: string | ArrayBuffer | SharedArrayBuffer | ArrayBufferView | Blob): void;
  /**
   * Closes after everything that was sent.
   *
   * @param code 1000–1003, 1007–1014 or 3000–4999; default: none, which the client sees as 1005
   * @param reason at most 123 bytes
   * @throws DOMException `InvalidAccessError` for another code, `SyntaxError` for a reason that is too long
   */
  close(code?: number, reason?: string): void;
  /** Resolves once there is room to send, or the socket is closed. `await` it in a loop that sends much. */
  drained(): Promise<void>;
  addEventListener<K extends keyof SocketEventMap>(
    type: K,
    listener: (event: SocketEventMap[K]) => unknown,
    options?: { once?: boolean; passive?: boolean; signal?: AbortSignal; capture?: boolean } | boolean,
  ): void;
  addEventListener(...args: Parameters<EventTarget['addEventListener']>): void;
}
