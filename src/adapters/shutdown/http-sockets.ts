import type { ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';

/** A socket of a server of `node:http`, with two members of Node that its own `closeIdleConnections()` reads as well. */
interface HttpSocket extends Socket {
  /** The parser of its requests; it is gone once the connection is upgraded, such as to a WebSocket. */
  readonly parser?: object | null;
  /** The answer in progress. */
  readonly _httpMessage?: ServerResponse | null;
}

/** Node's list of the connections of a server, which exist before anything listens to them. */
interface ConnectionsList {
  all(): { readonly socket: HttpSocket }[];
}

/** The members of a session of HTTP/2 that end it. */
interface Http2Session {
  close(): void;
  destroy(): void;
  once(event: 'close', listener: () => void): unknown;
}

/** Events that carry a request; the last two only have listeners if the host wants to answer them itself. */
const REQUEST_EVENTS = ['request', 'checkContinue', 'checkExpectation'];

/**
 * Time for which a connection without any request stays open after the server has stopped listening, in ms: its client may have
 * connected just before, with a request on the way. Node counts such connections as busy.
 */
const FIRST_REQUEST_MS = 500;

/**
 * The connections of one server, so that they can be ended without losing a request. Until `endAfterAnswers()` the server
 * works as if nothing was there.
 */
export class HttpSockets {
  readonly #server: Server;
  readonly #sockets = new Set<HttpSocket>();
  readonly #sessions = new Set<Http2Session>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();
  #isEnding = false;
  #isStopped = false;
  #firstRequests: NodeJS.Timeout | undefined = undefined;

  constructor(server: Server) {
    this.#server = server;
    for (const socket of openSockets(server)) this.#add(socket);
    server.on('connection', this.#onConnection);
    server.on('secureConnection', this.#onConnection);
    server.on('session', this.#onSession);
  }

  /** From now on every answer says `Connection: close` and ends its connection. Sessions of HTTP/2 take no more requests. */
  endAfterAnswers(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    for (const event of REQUEST_EVENTS)
      if (this.#server.listenerCount(event) > 0) this.#server.prependListener(event, this.#onRequest);
    for (const { _httpMessage: answer } of this.#sockets) if (answer) this.#endAfter(answer);
    for (const session of this.#sessions) session.close();
  }

  /** Accepts no more connections, and closes those that have no request. */
  stopListening(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    // A server that does not listen is closed.
    this.#server.close(() => this.#closed.resolve());
    for (const session of this.#sessions) session.close();
    this.#firstRequests = setTimeout(() => {
      for (const socket of this.#sockets)
        if (socket.parser && !socket._httpMessage && socket.bytesRead === 0) socket.destroy();
    }, FIRST_REQUEST_MS);
    this.#checkDrained();
  }

  /** Resolves once every request is answered and its connection closed. Upgraded connections do not count. */
  get drained(): Promise<void> {
    return this.#drained.promise;
  }

  /** Resolves once all connections are closed, upgraded ones too. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Closes the connections that still have requests. @returns their number */
  destroyBusy(): number {
    const busy = [...this.#sockets].filter(isHttp);
    for (const socket of busy) socket.destroy();
    const { size } = this.#sessions;
    for (const session of this.#sessions) session.destroy();
    return busy.length + size;
  }

  destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Stops watching the server. */
  close(): void {
    const server = this.#server;
    clearTimeout(this.#firstRequests);
    server.off('connection', this.#onConnection);
    server.off('secureConnection', this.#onConnection);
    server.off('session', this.#onSession);
  }

  readonly #onConnection = (socket: HttpSocket): void => this.#add(socket);

  #add(socket: HttpSocket): void {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      this.#checkDrained();
    });
  }

  readonly #onSession = (session: Http2Session): void => {
    this.#sessions.add(session);
    session.once('close', () => {
      this.#sessions.delete(session);
      this.#checkDrained();
    });
    if (this.#isStopped) session.close();
  };

  readonly #onRequest = (_req: unknown, answer: ServerResponse): void => this.#endAfter(answer);

  #endAfter(answer: ServerResponse): void {
    if (answer.req.httpVersionMajor > 1) return;
    answer.shouldKeepAlive = false;
    const { socket } = answer;
    // The head may be sent already, or say something else.
    answer.once('close', () => {
      if (this.#isStopped && socket !== null && !(socket as HttpSocket)._httpMessage) socket.destroySoon();
    });
  }

  #checkDrained(): void {
    if (!this.#isStopped || this.#sessions.size > 0) return;
    for (const socket of this.#sockets) if (isHttp(socket)) return;
    this.#drained.resolve();
  }
}

function isHttp(socket: HttpSocket): boolean {
  return Boolean(socket.parser) && !socket.destroyed;
}

/** The connections that a server already has. */
function openSockets(server: Server): HttpSocket[] {
  const symbol = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'http.server.connections',
  );
  const list =
    symbol === undefined ? undefined : (Reflect.get(server, symbol) as ConnectionsList | undefined);
  return list?.all().map(({ socket }) => socket) ?? [];
}
