import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { HttpResponse } from '../exchange.ts';

/** How long a client that is still sending may take to notice its answer, in ms. */
const LINGER_MS = 1_000;

/**
 * Ends a response whose request is still coming, and will not be read: its connection is closed. Not at once, though: a
 * socket that is closed with unread bytes in it is reset, and the client would see the reset instead of the answer
 * (nginx' `lingering_close`).
 */
export function endWithoutRequest(req: IncomingMessage, res: HttpResponse, body: string): void {
  res.setHeader('connection', 'close');
  if (req.method === 'HEAD') {
    res.end();
    return;
  }
  // Complete by its length; the end of the response is what closes the connection.
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
 * Breaks a response off. What was written before still reaches the client, unless it is the client that does not read. A
 * body that ends with its connection would look complete: that connection is reset.
 */
export function cut(res: HttpResponse): void {
  if (res.cut !== undefined) {
    res.cut();
    return;
  }
  const { socket } = res;
  const end = socket !== null && endsWithConnection(res) ? () => reset(socket) : () => res.destroy();
  // The socket of HTTP/2 carries other responses, too.
  if (socket === null || socket.writableNeedDrain || res.req.httpVersionMajor > 1) {
    end();
    return;
  }
  const timer = setTimeout(end, LINGER_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
  // Node 26 holds back what is written in one turn, in the response itself.
  while (res.uncork !== undefined && (res.writableCorked ?? 0) > 0) res.uncork();
  if (endsWithConnection(res)) socket.write(NOTHING, () => setTimeout(end, RESET_AFTER_MS).unref());
  else socket.destroySoon();
}

/**
 * What was sent is to be read before the reset comes, in ms: some systems drop what they hold then, and libuv before 1.52
 * takes data and reset for a regular end if they come together.
 */
const RESET_AFTER_MS = 50;

/** Written behind everything else, to know when that has left. */
const NOTHING = new Uint8Array();

/** Whether the client can tell the end of the body only by that of the connection, as one of HTTP/1.0. */
function endsWithConnection(res: HttpResponse): boolean {
  return res.req.httpVersionMajor < 2 && res.chunkedEncoding === false && !res.hasHeader('content-length');
}

/** Closes a connection in a way that cannot be taken for its regular end. Unix sockets know none. */
function reset(socket: Socket): void {
  // TLS has no way of its own; the socket below it has.
  const below: unknown = Reflect.get(socket, '_parent');
  try {
    (below instanceof Socket ? below : socket).resetAndDestroy();
  } catch {
    socket.destroy();
  }
}
