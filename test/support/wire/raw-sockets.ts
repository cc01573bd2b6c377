import { connect, createServer, type Server, type Socket } from 'node:net';
import { Codec } from '../../../src/wire/codec.ts';
import type { LinkSocket } from '../../../src/wire/link-socket.ts';
import { messageHead } from '../../../src/wire/message.ts';
import { openWebSocket } from '../../../src/wire/websocket-link.ts';

/** A server on 127.0.0.1 until the test ends. */
export async function serving<T extends Server>(server: T): Promise<{ port: number } & AsyncDisposable> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Resolves with what the other side sent, once the connection is closed. */
export async function closed(socket: Socket): Promise<string> {
  const pieces: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (bytes) => pieces.push(bytes));
  await new Promise((resolve) => socket.once('close', resolve));
  return Buffer.concat(pieces).toString('latin1');
}

/** A server that passes connections on, and tells the socket to the target: bytes can be slipped in. */
export function connectThrough(tell: (socket: Socket) => void): (port: number) => Server {
  return (port) =>
    createServer((client) => {
      const target = connect(port, '127.0.0.1');
      tell(target);
      for (const socket of [client, target]) socket.on('error', () => {});
      client.pipe(target);
      target.pipe(client);
    });
}

export function message(...slots: unknown[]): Buffer {
  return messageHead(new Codec().encode(slots));
}

/** A WebSocket without a handshake of links. */
export async function raw(
  port: number,
): Promise<{ socket: LinkSocket; closed: Promise<unknown>; first: Promise<unknown[]> }> {
  const tcp = connect(port, '127.0.0.1');
  const socket = await openWebSocket(tcp, `127.0.0.1:${port}`);
  const end = Promise.withResolvers<unknown>();
  const first = Promise.withResolvers<unknown[]>();
  socket.listen({
    message: ([piece]) => first.resolve(new Codec().decode((piece as Buffer).subarray(4))),
    closed: (error) => end.resolve(error),
  });
  return { socket, closed: end.promise, first: first.promise };
}
