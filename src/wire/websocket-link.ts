import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { TickCork } from '../time/tick-cork.ts';
import { LargePayloads } from './large-payloads.ts';
import { MAX_MESSAGE_BYTES } from './link.ts';
import type { LinkSocket, LinkSocketEvents } from './link-socket.ts';
import { FAULT, malformed, WireError } from './wire-error.ts';

/** Time limit of a peer's answer to a close, in ms. */
const CLOSE_TIMEOUT_MS = 3_000;

/** The WebSocket subprotocol of links. */
const SUBPROTOCOL = 'inserve';

/** Close codes of an orderly end. */
const ORDERLY: ReadonlySet<number> = new Set([1000, 1001]);

const SETTINGS = {
  maxPayload: MAX_MESSAGE_BYTES,
  perMessageDeflate: false,
  // Links carry no text messages.
  skipUTF8Validation: true,
  closeTimeout: CLOSE_TIMEOUT_MS,
};

/** A link was closed by its peer. */
export class LinkClosedError extends Error {
  /** Close code of the WebSocket; 1006 for a broken connection. */
  readonly code: number;

  constructor(code: number, reason: string) {
    super(`the peer closed the link with ${code}${reason === '' ? '' : ` (${reason})`}`);
    this.name = 'LinkClosedError';
    this.code = code;
  }
}

class WebSocketLinkSocket implements LinkSocket {
  readonly #ws: WebSocket;
  readonly #cork: TickCork;
  readonly #payloads: LargePayloads | undefined;
  #events: LinkSocketEvents | undefined = undefined;
  /** Messages that arrived before the listener was registered. */
  #early: Array<readonly Uint8Array[]> = [];
  #error: Error | undefined = undefined;

  constructor(ws: WebSocket, tcp: Duplex) {
    this.#ws = ws;
    this.#cork = new TickCork(tcp);
    this.#payloads = LargePayloads.between(tcp);
    // Messages of several frames are not concatenated.
    ws.binaryType = 'fragments';
    ws.on('message', (data, isBinary) => this.#received(data as Buffer[], isBinary));
    ws.on('error', (error) => {
      this.#error = faultIn(error);
    });
    ws.on('close', (code, reason) => this.#closed(code, reason.toString()));
  }

  get unsent(): number {
    return this.#ws.bufferedAmount;
  }

  listen(events: LinkSocketEvents): void {
    this.#events = events;
    this.#payloads?.start();
    const early = this.#early;
    this.#early = [];
    for (const pieces of early) events.message(pieces);
  }

  send(pieces: readonly Uint8Array[], onWritten?: () => void): void {
    this.#cork.cork();
    const last = pieces.length - 1;
    for (let index = 0; index <= last; index++) {
      const isLast = index === last;
      const written = isLast && onWritten !== undefined ? whenWritten(onWritten) : undefined;
      this.#ws.send(pieces[index] as Uint8Array, { binary: true, fin: isLast }, written);
    }
  }

  limitReading(bytes: number | undefined, onExceeded?: () => void): void {
    this.#payloads?.limit(bytes, onExceeded);
  }

  close(code: number, reason: string): void {
    this.#ws.close(code, reason);
  }

  destroy(): void {
    this.#ws.terminate();
  }

  #received(pieces: Uint8Array[], isBinary: boolean): void {
    if (!isBinary) this.#refuseText();
    else if (this.#events === undefined) this.#early.push(pieces);
    else this.#events.message(this.#withTaken(pieces));
  }

  #withTaken(pieces: Uint8Array[]): Uint8Array[] {
    const taken = this.#payloads?.taken;
    return taken === undefined || taken.length === 0 ? pieces : pieces.concat(taken);
  }

  #refuseText(): void {
    this.#error = malformed('a link carries no text messages');
    this.#ws.close(1003, 'text');
  }

  #closed(code: number, reason: string): void {
    const error = ORDERLY.has(code) ? undefined : (this.#error ?? new LinkClosedError(code, reason));
    this.#events?.closed(error);
  }
}

/** The fault that the library found in the bytes of the peer; any other error as it is. */
function faultIn(error: Error): Error {
  const code: unknown = Reflect.get(error, 'code');
  if (typeof code !== 'string' || !code.startsWith('WS_ERR_')) return error;
  const isLimit = /MESSAGE_LENGTH|PAYLOAD_LENGTH|TOO_MANY/.test(code);
  return new WireError(isLimit ? FAULT.limit : FAULT.malformed, error.message);
}

/** Reports only written messages, not messages that a closed connection dropped. */
function whenWritten(onWritten: () => void): (error?: Error | null) => void {
  return (error) => {
    if (error === undefined || error === null) onWritten();
  };
}

/** Turns upgrade requests into links. */
export type Upgrade = (
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  onOpen: (link: LinkSocket) => void,
) => void;

/** Loads the library. */
export async function createUpgrade(): Promise<Upgrade> {
  const { WebSocketServer } = await import('ws');
  const server = new WebSocketServer({
    ...SETTINGS,
    noServer: true,
    clientTracking: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  return (req, socket, head, onOpen) =>
    server.handleUpgrade(req, socket, head, (ws) => onOpen(new WebSocketLinkSocket(ws, socket)));
}

/**
 * Opens a WebSocket over an existing connection.
 * @throws the library's error for an answer that is not an upgrade
 */
export async function openWebSocket(connection: Duplex, host: string): Promise<LinkSocket> {
  const { WebSocket } = await import('ws');
  const ws = new WebSocket(`ws://${host}/inserve`, SUBPROTOCOL, {
    ...SETTINGS,
    // The mask protects proxies from scripts in browsers. Zeros are not applied, on either side: 2.6 times as many
    // messages of 1 MiB.
    generateMask: (mask) => mask.fill(0),
    followRedirects: false,
    finishRequest: (request: ClientRequest) => request.end(),
    createConnection: () => connection as never,
  });
  const { promise, resolve, reject } = Promise.withResolvers<LinkSocket>();
  ws.once('open', () => resolve(new WebSocketLinkSocket(ws, connection)));
  ws.once('error', reject);
  return promise;
}
