import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { listening, openCaller, openWorker } from './batches.ts';
import type { Contender } from './session.ts';

const HEAD_BYTES = 4;

/** A bare TCP connection whose messages have their length in front. */
export const tcp: Contender = {
  async serve() {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      const channel = openWorker((message) => send(socket, message));
      read(socket, channel.receive);
      socket.on('error', () => socket.destroy());
    });
    return listening(server, () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
  },
  async connect(port) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const caller = openCaller((message) => send(socket, message));
    read(socket, caller.receive);
    await once(socket, 'connect');
    return caller.session(async () => {
      socket.destroy();
    });
  },
};

function send(socket: Socket, message: Uint8Array): void {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt32BE(message.length);
  socket.cork();
  socket.write(head);
  socket.write(message);
  socket.uncork();
}

function read(socket: Socket, receive: (message: Uint8Array) => void): void {
  let chunks: Buffer[] = [];
  let length = 0;
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length < HEAD_BYTES || length < HEAD_BYTES + sizeOf(chunks)) return;
    let bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    while (bytes.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + bytes.readUInt32BE();
      if (bytes.length < end) break;
      receive(bytes.subarray(HEAD_BYTES, end));
      bytes = bytes.subarray(end);
    }
    chunks = bytes.length === 0 ? [] : [bytes];
    length = bytes.length;
  });
}

/** Size of the message that the chunks begin with. */
function sizeOf(chunks: Buffer[]): number {
  let [first = Buffer.alloc(0)] = chunks;
  if (first.length < HEAD_BYTES) {
    first = Buffer.concat(chunks);
    chunks.splice(0, chunks.length, first);
  }
  return first.readUInt32BE();
}
