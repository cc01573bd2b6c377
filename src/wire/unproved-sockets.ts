import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
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

type FaultListener = (fault: Fault, socket: Duplex) => void;

/** A connection whose peer has not proved itself. */
export class UnprovedSocket {
  readonly socket: Socket;
  readonly #onFault: FaultListener;
  readonly #timer: Limit;
  #isCounted = false;

  constructor(socket: Socket, onFault: FaultListener) {
    this.socket = socket;
    this.#onFault = onFault;
    this.#timer = limit(PROOF_TIMEOUT_MS, () => this.refuse(FAULT.late), false);
  }

  /** Counts the fault for which the connection ends; only the first one is counted, since the others follow from it. */
  count(fault: Fault): void {
    if (this.#isCounted) return;
    this.#isCounted = true;
    this.#onFault(fault, this.socket);
  }

  refuse(fault: Fault): void {
    this.count(fault);
    this.socket.destroy();
  }

  forget(): void {
    this.#timer.cancel();
  }
}

/** Limits unproved connections, which anyone may open, in number, time and bytes read. */
export class UnprovedSockets {
  readonly #onFault: FaultListener;
  readonly #sockets = new Map<string, UnprovedSocket>();

  constructor(onFault: FaultListener) {
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
      this.#onFault(FAULT.limit, socket);
      socket.destroy();
      return;
    }
    const key = keyOf(socket);
    const unproved = new UnprovedSocket(socket, this.#onFault);
    this.#sockets.set(key, unproved);
    socket.once('close', () => this.#forget(key));
    if (isTls) awaitHello(unproved, serve);
    else serve();
  }

  /** Counts the fault of a connection. A TLS connection that failed early may not tell which one it was. */
  count(fault: Fault, socket: Duplex): void {
    const unproved = this.find(socket);
    if (unproved === undefined) this.#onFault(fault, socket);
    else unproved.count(fault);
  }

  /** Finds a connection. @param socket the connection, or the TLS connection over it */
  find(socket: Duplex): UnprovedSocket | undefined {
    return this.#sockets.get(keyOf(socket as Socket));
  }

  /** Releases a connection whose peer has proved itself. @param socket the connection, or the TLS connection over it */
  proved(socket: Socket): void {
    this.#forget(keyOf(socket));
  }

  destroy(): void {
    for (const { socket } of this.#sockets.values()) socket.destroy();
  }

  #forget(key: string): void {
    this.#sockets.get(key)?.forget();
    this.#sockets.delete(key);
  }
}

/** Key of an open connection, equal for a connection and the TLS connection over it. */
function keyOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
}

/** Passes on a complete first record that begins a TLS handshake of a usual size. */
function awaitHello(unproved: UnprovedSocket, serve: () => void): void {
  const { socket } = unproved;
  let bytes: Buffer = Buffer.alloc(0);
  const read = (): void => {
    for (let more: Buffer | null = socket.read(); more !== null; more = socket.read())
      bytes = Buffer.concat([bytes, more]);
    if (bytes.length < RECORD_HEAD_BYTES) return;
    const end = RECORD_HEAD_BYTES + bytes.readUInt16BE(3);
    if (bytes[0] !== HANDSHAKE_RECORD || Math.max(end, bytes.length) > MAX_UNPROVED_BYTES) {
      socket.off('readable', read);
      unproved.refuse(bytes[0] === HANDSHAKE_RECORD ? FAULT.limit : FAULT.unauthorized);
    } else if (bytes.length >= end) {
      socket.off('readable', read);
      socket.unshift(bytes);
      serve();
    }
  };
  socket.on('readable', read);
}
