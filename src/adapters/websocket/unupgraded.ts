import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * A response to a request whose connection was to be upgraded and is not. Node has let go of the connection by then, so
 * it is closed behind the response.
 */
export function responseInstead(req: IncomingMessage, socket: Duplex): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  socket.on('error', () => socket.destroy());
  // What Node's own connections do for their responses.
  socket.on('drain', () => res.emit('drain'));
  res.assignSocket(socket as Socket);
  res.once('finish', () => {
    // As `destroySoon` of a socket; Node 26 has a stream of its own in place of the socket while a body is still coming.
    socket.end(() => socket.destroy());
  });
  // Unread bytes would make a reset of the end, and the client would see that in place of the response.
  socket.resume();
  return res;
}
