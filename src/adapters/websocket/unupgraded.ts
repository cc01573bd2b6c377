import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * A response to a request whose upgrade is refused. Node no longer manages the connection at that point, so it is closed after
 * the response.
 */
export function responseInstead(req: IncomingMessage, socket: Duplex): ServerResponse {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  socket.on('error', () => socket.destroy());
  // Node's own connections do this for their responses.
  socket.on('drain', () => res.emit('drain'));
  res.assignSocket(socket as Socket);
  res.once('finish', () => {
    // Like `destroySoon` of a socket, which the stream that Node 26 passes while a body is still arriving does not have.
    socket.end(() => socket.destroy());
  });
  // With unread bytes the connection would end in a reset, which the client would see instead of the response.
  socket.resume();
  return res;
}
