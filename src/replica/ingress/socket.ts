import { AsyncLocalStorage } from 'node:async_hooks';
import { types } from 'node:util';
import { isInstance, tagOf } from '../../validation/peek.ts';
import { isThenable, whenSettled } from '../../validation/thenable.ts';
import type {
  ServerWebSocket,
  SocketClose,
  SocketCloseEvent,
  SocketEventMap,
  SocketMessage,
  SocketMessageEvent,
} from './server-web-socket.ts';
import { type SessionListener, SOCKET_STATE, type WebSocketSession } from './web-socket-session.ts';

type Listener = Parameters<EventTarget['addEventListener']>[1];
type ListenerOptions = Parameters<EventTarget['addEventListener']>[2];
type Handler<K extends keyof SocketEventMap> = ((event: SocketEventMap[K]) => unknown) | null;

/** The most bytes of the reason in a close frame (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;

class MessageEvent extends Event implements SocketMessageEvent {
  readonly data: SocketMessage;

  constructor(data: SocketMessage) {
    super('message');
    this.data = data;
  }
}

class CloseEvent extends Event implements SocketCloseEvent {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;

  constructor({ code, reason, wasClean }: SocketClose) {
    super('close');
    this.code = code;
    this.reason = reason;
    this.wasClean = wasClean;
  }
}

/** Dispatches the events of a session at its socket. */
class SocketEvents implements SessionListener {
  readonly closing = Promise.withResolvers<SocketClose>();
  readonly #target: EventTarget;
  /** Runs listeners where `websocket()` was called: in its call, with the stores of its callers. */
  readonly #run = AsyncLocalStorage.snapshot();

  constructor(target: EventTarget) {
    this.#target = target;
  }

  opened(): void {
    this.dispatch(new Event('open'));
  }

  closed(how: SocketClose): void {
    this.closing.resolve(how);
    if (!how.wasClean) this.dispatch(new Event('error'));
    this.dispatch(new CloseEvent(how));
  }

  dispatch(event: Event): void {
    this.#run(() => this.#target.dispatchEvent(event));
  }
}

/** The socket of a WebSocket session as user code sees it. */
export class IngressSocket extends EventTarget implements ServerWebSocket {
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;
  readonly url: string;
  readonly extensions = '';
  readonly #session: WebSocketSession;
  readonly #events = new SocketEvents(this);
  readonly #handlers: { [K in keyof SocketEventMap]?: Handler<K> } = {};
  readonly #guarded = new WeakMap<object, (event: Event) => void>();

  constructor(session: WebSocketSession, url: string) {
    super();
    this.#session = session;
    this.url = url;
    session.listen(this.#events);
  }

  /** The state. User code is only called when the connection is about to be open, so it starts as open. */
  get readyState(): number {
    return Math.max(SOCKET_STATE.open, this.#session.state);
  }

  get protocol(): string {
    return this.#session.protocol;
  }

  get bufferedAmount(): number {
    return this.#session.outbox.bufferedAmount;
  }

  get binaryType(): 'arraybuffer' {
    return 'arraybuffer';
  }

  set binaryType(type: unknown) {
    if (type === 'arraybuffer') return;
    throw new TypeError("binaryType: binary messages are ArrayBuffers here; allowed: 'arraybuffer'");
  }

  get closed(): Promise<SocketClose> {
    return this.#events.closing.promise;
  }

  send(data: unknown): void {
    this.#session.send(toMessage(data));
  }

  close(code?: number, reason = ''): void {
    if (code !== undefined && !isCloseCode(code)) {
      throw new DOMException(
        `close code ${code} is not allowed; allowed: 1000–1003, 1007–1014, 3000–4999`,
        'InvalidAccessError',
      );
    }
    if (Buffer.byteLength(reason) > MAX_REASON_BYTES)
      throw new DOMException(`the reason is longer than ${MAX_REASON_BYTES} bytes`, 'SyntaxError');
    this.#session.close(code ?? (reason === '' ? 1005 : 1000), reason);
  }

  drained(): Promise<void> {
    return this.#session.outbox.drained();
  }

  [Symbol.asyncIterator](): AsyncIterator<SocketMessage, undefined> {
    return this.#session.inbox.iterate();
  }

  override addEventListener(type: string, listener: unknown, options?: ListenerOptions): void {
    super.addEventListener(type, this.#guard(listener), options);
    if (type === 'message')
      this.#session.inbox.listen((message) => this.#events.dispatch(new MessageEvent(message)));
  }

  override removeEventListener(type: string, listener: Listener, options?: ListenerOptions): void {
    super.removeEventListener(type, this.#guard(listener), options);
  }

  get onopen(): Handler<'open'> {
    return this.#handlers.open ?? null;
  }

  set onopen(handler: Handler<'open'>) {
    this.#handle('open', handler);
  }

  get onmessage(): Handler<'message'> {
    return this.#handlers.message ?? null;
  }

  set onmessage(handler: Handler<'message'>) {
    this.#handle('message', handler);
  }

  get onerror(): Handler<'error'> {
    return this.#handlers.error ?? null;
  }

  set onerror(handler: Handler<'error'>) {
    this.#handle('error', handler);
  }

  get onclose(): Handler<'close'> {
    return this.#handlers.close ?? null;
  }

  set onclose(handler: Handler<'close'>) {
    this.#handle('close', handler);
  }

  #handle<K extends keyof SocketEventMap>(type: K, handler: Handler<K>): void {
    const isFirst = !(type in this.#handlers);
    Reflect.set(this.#handlers, type, typeof handler === 'function' ? handler : null);
    if (!isFirst) return;
    this.addEventListener(type, (event: SocketEventMap[K]) => this.#handlers[type]?.call(this, event));
  }

  /** Catches errors of listeners, which Node would turn into an uncaught exception that ends the replica and all its clients. */
  #guard(listener: unknown): Listener {
    if ((typeof listener !== 'function' && typeof listener !== 'object') || listener === null)
      return listener as Listener;
    const known = this.#guarded.get(listener);
    if (known !== undefined) return known;
    const guarded = (event: Event): void => {
      try {
        const result: unknown =
          typeof listener === 'function'
            ? listener.call(this, event)
            : (listener as { handleEvent(event: Event): unknown }).handleEvent(event);
        if (isThenable(result))
          whenSettled(
            result,
            () => {},
            (error) => this.#session.failed(error),
          );
      } catch (error) {
        this.#session.failed(error);
      }
    };
    this.#guarded.set(listener, guarded);
    return guarded;
  }
}

/** Whether a close code may be sent (RFC 6455, 7.4; IANA's registry). */
function isCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3_000) return code <= 4_999;
  return (code >= 1_000 && code <= 1_003) || (code >= 1_007 && code <= 1_014);
}

/** Copies bytes, because they are sent at the end of the turn and user code may change them before. */
function toMessage(data: unknown): string | Uint8Array | Blob {
  if (typeof data === 'string' || isInstance(data, Blob)) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  if (types.isAnyArrayBuffer(data)) return new Uint8Array(data).slice();
  throw new TypeError(`a WebSocket sends text, ArrayBuffers, views and Blobs, and not ${tagOf(data)}`);
}
