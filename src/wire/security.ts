import { constants } from 'node:crypto';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import { type LinkKeys, linkKeys } from './keys.ts';

/** Certificates of `fleet.tls`, in PEM. */
export interface LinkCertificates {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly ca: string | Buffer | ReadonlyArray<string | Buffer>;
}

export interface LinkSecurityOptions {
  /** Name of the fleet. */
  readonly fleet: string;
  /** The first one dials and proves, all are accepted: a new secret is added behind, then moved to the front, on all. */
  readonly secrets: readonly string[];
  /** Certificates both ways in place of a pre-shared key; the secret is proved inside. */
  readonly tls?: LinkCertificates;
  /** No TLS: the secret is proved once, and nothing is encrypted. */
  readonly trustNetwork?: boolean;
}

/** How a link is protected. */
export const LINK_MODE = { preShared: 'psk', certificates: 'certificates', plain: 'plain' } as const;
export type LinkMode = (typeof LINK_MODE)[keyof typeof LINK_MODE];

/** Binds the proof of the secret to one TLS connection (RFC 8446 §7.5), so that nobody in between can pass it on. */
const EXPORTER_LABEL = 'EXPORTER-inserve/1 link';
const EXPORTER_BYTES = 32;

/** TLS 1.3 only. A pre-shared key from outside goes with SHA-256 (RFC 8446 §4.2.11). */
const TLS_13 = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  // No resumption: a ticket would outlive a secret that was taken away.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;
const PRE_SHARED_CIPHER = 'TLS_AES_128_GCM_SHA256';

/** What protects the links of one instance. There is no cipher and no record protocol of this library. */
export class LinkSecurity {
  readonly mode: LinkMode;
  readonly fleet: string;
  readonly #keys: readonly LinkKeys[];
  readonly #tls: LinkCertificates | undefined;
  /** Connections that named a key, and then used it. */
  readonly #withKey = new WeakSet<TLSSocket>();

  /** @throws ServeError `SERVE_INVALID_OPTION` */
  constructor({ fleet, secrets, tls, trustNetwork = false }: LinkSecurityOptions) {
    this.fleet = fleet;
    this.#keys = secrets.map((secret) => linkKeys(secret, fleet));
    this.#tls = tls;
    if (tls !== undefined) this.mode = LINK_MODE.certificates;
    else this.mode = trustNetwork ? LINK_MODE.plain : LINK_MODE.preShared;
  }

  /** The key that this instance proves. */
  get own(): LinkKeys {
    return this.#keys[0] as LinkKeys;
  }

  /** The key that a peer names; undefined for one that is not known. */
  keyOf(id: string): LinkKeys | undefined {
    return this.#keys.find((key) => key.id === id);
  }

  /** Options of the listener; undefined without TLS. */
  get serverOptions(): TlsOptions | undefined {
    if (this.mode === LINK_MODE.plain) return undefined;
    if (this.#tls !== undefined)
      return { ...TLS_13, ...certificatesOf(this.#tls), requestCert: true, rejectUnauthorized: true };
    return {
      ...TLS_13,
      ciphers: PRE_SHARED_CIPHER,
      pskCallback: (socket, identity) => this.preSharedKeyOf(socket, identity),
    };
  }

  /** The key of a connection that names it; null for one that is not known. */
  preSharedKeyOf(socket: TLSSocket, id: string): Buffer | null {
    const key = this.keyOf(id);
    if (key === undefined) return null;
    this.#withKey.add(socket);
    return key.preShared;
  }

  /** Options of who dials; undefined without TLS. */
  get clientOptions(): ConnectionOptions | undefined {
    if (this.mode === LINK_MODE.plain) return undefined;
    // Whoever has the secret is a member, wherever it runs: names in certificates say nothing.
    const options = { ...TLS_13, checkServerIdentity: () => undefined };
    if (this.#tls !== undefined)
      return { ...options, ...certificatesOf(this.#tls), rejectUnauthorized: true };
    const { id, preShared } = this.own;
    // No authority is trusted: a server that presents a certificate instead of using the key is none of ours.
    return {
      ...options,
      ciphers: PRE_SHARED_CIPHER,
      ca: [],
      pskCallback: () => ({ psk: preShared, identity: id }),
    };
  }

  /**
   * Whether TLS has proved all that it has to prove. With a pre-shared key the handshake counts as resumed: without this
   * question a server with a certificate would be accepted.
   */
  isProved(socket: TLSSocket, role: 'dialer' | 'listener'): boolean {
    if (this.mode === LINK_MODE.certificates) return socket.authorized;
    return socket.isSessionReused() && (role === 'dialer' || this.#withKey.has(socket));
  }

  /** What the proof of the secret is bound to; empty without TLS. */
  bindingOf(socket: TLSSocket | undefined): string {
    if (socket === undefined || this.mode !== LINK_MODE.certificates) return '';
    return socket.exportKeyingMaterial(EXPORTER_BYTES, EXPORTER_LABEL, Buffer.alloc(0)).toString('hex');
  }
}

function certificatesOf({ cert, key, ca }: LinkCertificates): {
  cert: string | Buffer;
  key: string | Buffer;
  ca: Array<string | Buffer>;
} {
  return { cert, key, ca: [ca].flat() as Array<string | Buffer> };
}
