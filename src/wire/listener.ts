import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket, type TlsOptions } from 'node:tls';
import { type Introduction, type Session, shakeHands } from './handshake.ts';
import type { LinkSocket } from './link-socket.ts';
import { LINK_MODE, type LinkSecurity } from './security.ts';
import { MAX_REQUEST_BYTES, UnprovedSockets } from './unproved-sockets.ts';
import { createUpgrade, type Upgrade } from './websocket-link.ts';
import { FAULT, type Fault, FaultCounts } from './wire-error.ts';

export interface ListenOptions {
  readonly host: string;
  /** Port to listen on; 0 = any free port. */
  readonly port: number;
  readonly security: LinkSecurity;
  readonly self: Introduction;
  /** Creates the handler of a link before the next message is read. */
  readonly onLink: (session: Session, socket: LinkSocket) => void;
  readonly counts?: FaultCounts;
  /** A connection from an address was refused. */
  readonly onRefused?: (address: string, fault: Fault) => void;
}

/** Accepts links of proven peers only. */
export class LinkListener {
  readonly counts: FaultCounts;
  readonly #options: ListenOptions;
  readonly #tcp: TcpServer;
  readonly #http: Server;
  readonly #upgrade: Upgrade;
  readonly #unproved: UnprovedSockets;
  #security: LinkSecurity;

  constructor(options: ListenOptions, upgrade: Upgrade) {
    this.#options = options;
    this.#security = options.security;
    this.counts = options.counts ?? new FaultCounts();
    this.#upgrade = upgrade;
    this.#unproved = new UnprovedSockets((fault, socket) => {
      this.counts.add(fault);
      this.#options.onRefused?.(addressOf(socket), fault);
    });
    const settings = { maxHeaderSize: MAX_REQUEST_BYTES, keepAlive: false };
    const { serverOptions } = options.security;
    this.#http =
      serverOptions === undefined
        ? createServer(settings)
        : createTlsServer({ ...settings, ...serverOptions, ...this.#preShared });
    this.#http.on('upgrade', (req, socket, head) => this.#upgraded(req, socket, head));
    this.#http.on('request', (req, res) => {
      this.#unproved.count(FAULT.unauthorized, req.socket);
      res.writeHead(401, { connection: 'close' }).end();
      req.socket.destroySoon();
    });
    // The handler also covers connections that TLS refuses.
    this.#http.on('clientError', (_error, socket) => this.#refuse(socket));
    const isTls = serverOptions !== undefined;
    this.#tcp = createTcpServer({ noDelay: true, keepAlive: true }, (socket) =>
      this.#unproved.admit(socket, isTls, () => this.#http.emit('connection', socket)),
    );
  }

  get port(): number {
    return (this.#tcp.address() as AddressInfo).port;
  }

  /** Number of connections whose peers have not proved themselves. */
  get unproved(): number {
    return this.#unproved.size;
  }

  /** Starts to listen. @throws the error of the server, such as EADDRINUSE */
  async listen(): Promise<this> {
    const { host, port } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#tcp.once('error', reject);
    this.#tcp.listen(port, host, resolve);
    await promise;
    this.#tcp.off('error', reject);
    return this;
  }

  /** Replaces the secrets or certificates, of the same mode, for links that are opened from now on. */
  secureWith(security: LinkSecurity): void {
    const { serverOptions } = security;
    this.#security = security;
    if (serverOptions === undefined || !('setSecureContext' in this.#http)) return;
    Reflect.apply(this.#http.setSecureContext as (options: object) => void, this.#http, [serverOptions]);
  }

  /** Stops accepting links. Open links stay. */
  async close(): Promise<void> {
    this.#unproved.destroy();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#tcp.close(() => resolve());
    await promise;
  }

  /** Looks the key up when it is needed, since secrets change. */
  get #preShared(): TlsOptions {
    if (this.#security.mode !== LINK_MODE.preShared) return {};
    return { pskCallback: (socket, id) => this.#security.preSharedKeyOf(socket, id) };
  }

  #refuse(socket: Duplex): void {
    this.#unproved.count(FAULT.unauthorized, socket);
    socket.destroy();
  }

  #upgraded(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    const secured = socket instanceof TLSSocket ? socket : undefined;
    const security = this.#security;
    if (secured !== undefined && !security.isProved(secured, 'listener')) {
      this.#refuse(socket);
      return;
    }
    if (req.url !== '/inserve') {
      this.#unproved.count(FAULT.unauthorized, socket);
      socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#upgrade(req, socket, head, (link) => this.#shakeHands(link, socket as Socket, secured));
  }

  #shakeHands(link: LinkSocket, socket: Socket, secured: TLSSocket | undefined): void {
    const { self, onLink } = this.#options;
    const security = this.#security;
    const unproved = this.#unproved.find(socket);
    shakeHands(link, {
      role: 'listener',
      self,
      security,
      binding: security.bindingOf(secured),
      onOpen: (session) => {
        this.#unproved.proved(socket);
        onLink(session, link);
      },
      onFailed: (_error, fault) => unproved?.count(fault),
    });
  }
}

/** Address from which a connection comes; a TLS connection that failed early may not tell it any more. */
function addressOf(socket: Duplex): string {
  const address: unknown = Reflect.get(socket, 'remoteAddress');
  return typeof address === 'string' ? address : 'an unknown address';
}

/** Listens for peers. */
export async function listenForLinks(options: ListenOptions): Promise<LinkListener> {
  return new LinkListener(options, await createUpgrade()).listen();
}
