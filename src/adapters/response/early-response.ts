import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { HttpResponse } from '../exchange.ts';

/** Time for which a connection stays open for a client that is still sending, so that it can read its answer, in ms. */
const LINGER_MS = 1_000;

/**
 * Ends a response whose request is still arriving and will not be read, and closes the connection a little later: a socket that
 * is closed with unread bytes is reset, and the client would see the reset instead of the answer (nginx calls this
 * `lingering_close`).
 */
export function endWithoutRequest(req: IncomingMessage, res: HttpResponse, body: string): void {
  res.setHeader('connection', 'close');
  if (req.method === 'HEAD') {
    res.end();
    return;
  }
  // The body is complete by its length; ending the response closes the connection.
  res.write(body);
  const timer = setTimeout(end, LINGER_MS);
  timer.unref();
  function end(): void {
    clearTimeout(timer);
    res.end();
  }
  req.once('end', end);
  res.once('close', end);
  req.resume();
}

/**
 * Breaks a response off. Bytes that were written before still reach the client if it reads them. If the body ends with the
 * connection, a regular end would make it look complete, so the connection is reset.
 */
export function cut(res: HttpResponse): void {
  if (res.cut !== undefined) {
    res.cut();
    return;
  }
  const { socket } = res;
  const end = socket !== null && endsWithConnection(res) ? () => reset(socket) : () => res.destroy();
  // The socket of HTTP/2 also carries other responses.
  if (socket === null || socket.writableNeedDrain || res.req.httpVersionMajor > 1) {
    end();
    return;
  }
  const timer = setTimeout(end, LINGER_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
  // Node 26 corks the response itself until the end of the turn.
  while (res.uncork !== undefined && (res.writableCorked ?? 0) > 0) res.uncork();
  if (endsWithConnection(res)) socket.write(NOTHING, () => setTimeout(end, RESET_AFTER_MS).unref());
  else socket.destroySoon();
}

/**
 * The time between the last bytes and the reset, in ms: on a reset some systems drop bytes that were not read yet, and libuv
 * before 1.52 takes data and a reset that arrive together for a regular end.
 */
const RESET_AFTER_MS = 50;

/** Written after everything else, to learn when that has been sent. */
const NOTHING = new Uint8Array();

/** Whether the client recognizes the end of the body only by the end of the connection, as in HTTP/1.0. */
function endsWithConnection(res: HttpResponse): boolean {
  return res.req.httpVersionMajor < 2 && res.chunkedEncoding === false && !res.hasHeader('content-length');
}

/** Closes a connection in a way that cannot be taken for its regular end. Unix sockets have no such way. */
function reset(socket: Socket): void {
  // A TLS socket cannot be reset, but the socket below it can.
  const below: unknown = Reflect.get(socket, '_parent');
  try {
    (below instanceof Socket ? below : socket).resetAndDestroy();
  } catch {
    socket.destroy();
  }
}
