import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { CloseEnvelope } from '../../channel/http-envelope.ts';
import { TickCork } from '../../time/tick-cork.ts';
import { agreedProtocol } from './handshake.ts';
import type { ResolvedWebSocketOptions } from './websocket-options.ts';

/** Time in which either side must answer a close frame of the other side, in ms. */
const CLOSE_TIMEOUT_MS = 5_000;
/** A check of a silent client that runs later by more than this, in ms, is skipped. */
const LATE_MS = 250;
/** The most pings of a client within a second. */
const MAX_PINGS = 100;
/** With this many bytes on their way to a client that does not read, its pings are not answered. */
const MAX_PONG_BACKLOG = 65_536;

/** Receives the events of a client's connection. */
export interface ClientSocketListener {
  message(data: string | Uint8Array<ArrayBuffer>, bytes: number): void;
  /** The client has sent a close frame after its last message. `close()` answers it. */
  leaving(how: CloseEnvelope): void;
  /** This many more messages have been written to the network. */
  flushed(messages: number): void;
  /** The connection has ended. This is the last event, and comes once. */
  closed(how: CloseEnvelope): void;
}

/** The arguments of Node's event `upgrade`. */
export interface UpgradeRequest {
  readonly req: IncomingMessage;
  readonly socket: Duplex;
  /** Bytes that the client sent after its request. */
  readonly head: Buffer;
}

/** Answers with 101. Returns undefined if the library refused the request and has answered it. */
export type Accept = (
  upgrade: UpgradeRequest,
  requestId: string,
  listener: ClientSocketListener,
) => ClientSocket | undefined;

/** A connection whose close frame is not answered at once. */
interface PatientSocket extends WebSocket {
  /** Called once instead of answering. */
  onLeave: ((code: number, reason: string) => void) | undefined;
}

/** The library answers a close frame by calling `close()`: without arguments, or with the code and the reason as bytes. */
function patientClass(Base: typeof WebSocket) {
  return class extends Base implements PatientSocket {
    onLeave: PatientSocket['onLeave'] = undefined;

    override close(code?: number, reason?: string | Buffer): void {
      const { onLeave } = this;
      // The library passes a code without a reason for an invalid frame.
      const isWrong = code !== undefined && reason === undefined;
      this.onLeave = undefined;
      if (onLeave === undefined || isWrong) super.close(code, reason);
      else onLeave(code ?? 1005, String(reason ?? ''));
    }
  };
}

/** Returns a function that accepts connections with these options. Loads the library when it is first called. */
export async function createAccept(options: ResolvedWebSocketOptions): Promise<Accept> {
  const ws = await import('ws');
  const requestIds = new WeakMap<IncomingMessage, string>();
  const settings = {
    noServer: true,
    WebSocket: patientClass(ws.WebSocket),
    clientTracking: false,
    maxPayload: options.messageLimit,
    perMessageDeflate: options.compression,
    closeTimeout: CLOSE_TIMEOUT_MS,
    autoPong: false,
    handleProtocols: (offered: Set<string>) => agreedProtocol(offered, options.protocols) ?? false,
  };
  const server = new ws.WebSocketServer(settings);
  server.on('headers', (headers, req) => headers.push(`x-request-id: ${requestIds.get(req)}`));
  return ({ req, socket, head }, requestId, listener) => {
    requestIds.set(req, requestId);
    let accepted: ClientSocket | undefined;
    server.handleUpgrade(req, socket, head, (opened) => {
      accepted = new ClientSocket(opened, socket, options.idleTimeoutMs, listener);
    });
    return accepted;
  };
}

/** The open connection of a client. Only this file knows the library. */
export class ClientSocket {
  readonly #ws: PatientSocket;
  readonly #cork: TickCork;
  readonly #listener: ClientSocketListener;
  readonly #watch: NodeJS.Timeout | undefined;
  #flushed = 0;
  #isClosing = false;
  #patience: NodeJS.Timeout | undefined = undefined;
  #lookedAt: number = performance.now();
  /** Whether anything arrived since the last check. */
  #isHeard = true;
  #hasAsked = false;
  #pings = 0;
  #pingsSince = 0;

  constructor(ws: PatientSocket, tcp: Duplex, idleTimeoutMs: number, listener: ClientSocketListener) {
    this.#ws = ws;
    this.#cork = new TickCork(tcp);
    this.#listener = listener;
    ws.on('message', (data, isBinary) => this.#received(data as Buffer, isBinary));
    ws.on('ping', (data) => this.#pinged(data));
    ws.on('pong', () => this.#heard());
    // The error of an invalid frame; the library closes with 1002, 1007 or 1009, and `close` follows.
    ws.on('error', () => {});
    ws.on('close', (code, reason) => this.#closed(code, reason.toString()));
    ws.onLeave = (code, reason) => this.#leaving(code, reason);
    if (idleTimeoutMs === 0) return;
    const periodMs = Math.max(10, idleTimeoutMs / 3);
    this.#watch = setInterval(() => this.#look(periodMs), periodMs).unref();
  }

  send(message: string | Uint8Array): void {
    this.#cork.cork();
    this.#ws.send(message, { binary: typeof message !== 'string' }, this.#onFlushed);
  }

  /** Sends a close frame, or answers the client's. Later messages of the client are ignored. 1005 stands for no code. */
  close(code: number, reason: string): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#ws.onLeave = undefined;
    clearTimeout(this.#patience);
    // The client's answer comes after the messages that it has already sent.
    this.#ws.resume();
    if (code === 1005) this.#ws.close();
    else this.#ws.close(code, reason);
  }

  /** Ends the connection without a close frame. */
  destroy(): void {
    this.#isClosing = true;
    this.#ws.terminate();
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    if (this.#ws.isPaused) this.#ws.resume();
  }

  #received(data: Buffer, isBinary: boolean): void {
    this.#heard();
    if (this.#isClosing) return;
    // Copied, because the message is a slice of the socket's buffer.
    this.#listener.message(isBinary ? new Uint8Array(data) : data.toString(), data.byteLength);
  }

  /** Gives the app time to answer the messages that came before the close frame. */
  #leaving(code: number, reason: string): void {
    this.#patience = setTimeout(() => this.close(code, reason), CLOSE_TIMEOUT_MS).unref();
    this.#listener.leaving([code, reason, true]);
  }

  #pinged(data: Buffer): void {
    this.#heard();
    const at = performance.now();
    if (at - this.#pingsSince > 1_000) {
      this.#pingsSince = at;
      this.#pings = 0;
    }
    if (++this.#pings > MAX_PINGS) this.close(1008, 'too many pings');
    else if (this.#ws.bufferedAmount < MAX_PONG_BACKLOG) this.#ws.pong(data, false, ignore);
  }

  #heard(): void {
    this.#isHeard = true;
    this.#hasAsked = false;
  }

  /** Pings a silent client, and cuts the connection if the ping is not answered by the next check. */
  #look(periodMs: number): void {
    const at = performance.now();
    const isLate = at - this.#lookedAt > periodMs + LATE_MS;
    this.#lookedAt = at;
    // The process was paused or its loop was blocked, so the client's messages have not been read yet.
    if (isLate) return;
    if (this.#isHeard || this.#ws.isPaused) {
      this.#isHeard = false;
    } else if (this.#hasAsked) {
      this.destroy();
    } else {
      this.#hasAsked = true;
      this.#ws.ping('', false, ignore);
    }
  }

  #closed(code: number, reason: string): void {
    clearInterval(this.#watch);
    clearTimeout(this.#patience);
    this.#isClosing = true;
    this.#listener.closed([code, reason, code !== 1006]);
  }

  readonly #onFlushed = (): void => {
    if (this.#flushed++ === 0) setImmediate(this.#reportFlushed);
  };

  readonly #reportFlushed = (): void => {
    const messages = this.#flushed;
    this.#flushed = 0;
    this.#listener.flushed(messages);
  };
}

/** Ignores the error of a ping or pong to a connection that has just closed. */
function ignore(): void {}
