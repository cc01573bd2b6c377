import { once } from 'node:events';
import { createServer } from 'node:http';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { type Channel, listening, openCaller, openWorker } from './batches.ts';
import type { Contender, Served, Session } from './session.ts';

const SETTINGS = { perMessageDeflate: false, skipUTF8Validation: true, maxPayload: 1 << 26 };

/** A WebSocket between two processes with promises and batches, and nothing else: what the others are measured against. */
export const floor: Contender = {
  serve: () => serveOver((post) => openWorker(post)),
  connect,
};

/** Serves WebSockets. @param open makes the called end of one connection */
export async function serveOver(open: (post: (message: Uint8Array) => void) => Channel): Promise<Served> {
  const http = createServer();
  const server = new WebSocketServer({ ...SETTINGS, server: http });
  server.on('connection', (socket) => {
    const channel = open((message) => socket.send(message));
    socket.on('message', (message) => channel.receive(message as Buffer));
  });
  return listening(http, () => {
    for (const socket of server.clients) socket.terminate();
    http.close();
  });
}

/** Connects without a mask, as links do. */
export async function connect(port: number): Promise<Session> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, {
    ...SETTINGS,
    generateMask: (mask) => mask.fill(0),
  });
  const caller = openCaller((message) => socket.send(message));
  socket.on('message', (message: RawData) => caller.receive(message as Buffer));
  await once(socket, 'open');
  return caller.session(async () => {
    socket.terminate();
  });
}
