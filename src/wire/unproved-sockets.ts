import type { Socket } from 'node:net';
import { type Limit, limit } from '../time/timeout.ts';
import { MAX_HANDSHAKE_BYTES, PROOF_TIMEOUT_MS } from './handshake.ts';
import { FAULT, type Fault } from './wire-error.ts';

/** Maximum number of connections whose peers have not proved themselves. */
export const MAX_UNPROVED = 64;

/** Maximum number of bytes that are read from such a connection. */
const MAX_UNPROVED_BYTES = 4_096;

/** Maximum size of the request that opens the WebSocket, in bytes. */
export const MAX_REQUEST_BYTES: number = MAX_UNPROVED_BYTES - MAX_HANDSHAKE_BYTES;

/** A TLS record: type, version (2 bytes), length (2 bytes). */
const RECORD_HEAD_BYTES = 5;
const HANDSHAKE_RECORD = 22;

/** Limits unproved connections, which anyone may open, in number, time and bytes read. */
export class UnprovedSockets {
  readonly #onFault: (fault: Fault, socket: Socket) => void;
  readonly #sockets = new Map<string, { socket: Socket; timer: Limit }>();

  constructor(onFault: (fault: Fault, socket: Socket) => void) {
    this.#onFault = onFault;
  }

  get size(): number {
    return this.#sockets.size;
  }

  /**
   * Admits a new connection.
   * @param isTls whether to check the first bytes before OpenSSL gets them
   * @param serve continues reading
   */
  admit(socket: Socket, isTls: boolean, serve: () => void): void {
    socket.on('error', () => {});
    if (this.#sockets.size >= MAX_UNPROVED) {
      this.#refuse(socket, FAULT.limit);
      return;
    }
    const key = keyOf(socket);
    const timer = limit(PROOF_TIMEOUT_MS, () => this.#refuse(socket, FAULT.late), false);
    this.#sockets.set(key, { socket, timer });
    socket.once('close', () => this.#forget(key));
    if (isTls) this.#awaitHello(socket, serve);
    else serve();
  }

  /** Releases a connection whose peer has proved itself. @param socket the connection, or the TLS connection over it */
  proved(socket: Socket): void {
    this.#forget(keyOf(socket));
  }

  destroy(): void {
    for (const { socket } of this.#sockets.values()) socket.destroy();
  }

  /** Passes on a complete first record that begins a TLS handshake of a usual size. */
  #awaitHello(socket: Socket, serve: () => void): void {
    let bytes: Buffer = Buffer.alloc(0);
    const read = (): void => {
      for (let more: Buffer | null = socket.read(); more !== null; more = socket.read())
        bytes = Buffer.concat([bytes, more]);
      if (bytes.length < RECORD_HEAD_BYTES) return;
      const end = RECORD_HEAD_BYTES + bytes.readUInt16BE(3);
      if (bytes[0] !== HANDSHAKE_RECORD || Math.max(end, bytes.length) > MAX_UNPROVED_BYTES) {
        socket.off('readable', read);
        this.#refuse(socket, bytes[0] === HANDSHAKE_RECORD ? FAULT.limit : FAULT.unauthorized);
      } else if (bytes.length >= end) {
        socket.off('readable', read);
        socket.unshift(bytes);
        serve();
      }
    };
    socket.on('readable', read);
  }

  #refuse(socket: Socket, fault: Fault): void {
    this.#onFault(fault, socket);
    socket.destroy();
  }

  #forget(key: string): void {
    this.#sockets.get(key)?.timer.cancel();
    this.#sockets.delete(key);
  }
}

/** Key of an open connection, equal for a connection and the TLS connection over it. */
function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}
