import type { Socket } from 'node:net';

/** The listeners for the end of each socket. */
const waiting = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls `listener` when the socket closes. The socket itself gets a single listener, however many requests are pipelined on
 * it, because Node warns of more than ten.
 */
export function onSocketClose(socket: Socket, listener: () => void): void {
  const known = waiting.get(socket);
  if (known !== undefined) {
    known.add(listener);
    return;
  }
  const listeners = new Set([listener]);
  waiting.set(socket, listeners);
  socket.once('close', () => {
    for (const each of listeners) each();
  });
}

export function offSocketClose(socket: Socket, listener: () => void): void {
  waiting.get(socket)?.delete(listener);
}
