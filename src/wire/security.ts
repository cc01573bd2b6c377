import { constants } from 'node:crypto';
import type { ConnectionOptions, TLSSocket, TlsOptions } from 'node:tls';
import { type LinkKeys, linkKeys } from './keys.ts';

/** Certificates of `fleet.tls`, in PEM; `fleet.tls` also takes paths or `file:` URLs of files, which are read before they come here. */
export interface LinkCertificates {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly ca: string | Buffer | ReadonlyArray<string | Buffer>;
}

export interface LinkSecurityOptions {
  /** Name of the fleet. */
  readonly fleet: string;
  /**
   * Secrets of the fleet: the first dials and proves, all are accepted. To replace a secret, append the new one on all
   * instances, then move it to the front.
   */
  readonly secrets: readonly string[];
  /** Certificates of both sides in place of a pre-shared key; the secret is proved inside the connection. */
  readonly tls?: LinkCertificates;
  /** Whether to go without TLS: the secret is proved once, and nothing is encrypted. */
  readonly trustNetwork?: boolean;
}

/** Modes of protection of a link. */
export const LINK_MODE = { preShared: 'psk', certificates: 'certificates', plain: 'plain' } as const;
export type LinkMode = (typeof LINK_MODE)[keyof typeof LINK_MODE];

/** Binds the proof of the secret to one TLS connection (RFC 8446 §7.5), so that a man in the middle cannot relay it. */
const EXPORTER_LABEL = 'EXPORTER-inserve/1 link';
const EXPORTER_BYTES = 32;

/** TLS options: version 1.3 only. An external pre-shared key requires SHA-256 (RFC 8446 §4.2.11). */
const TLS_13 = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  // Resumption is off: a ticket would outlive a revoked secret.
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;
const PRE_SHARED_CIPHER = 'TLS_AES_128_GCM_SHA256';

/** Protects the links of one instance. This library implements no cipher and no record protocol itself. */
export class LinkSecurity {
  readonly mode: LinkMode;
  readonly fleet: string;
  readonly #keys: readonly LinkKeys[];
  #tls: LinkCertificates | undefined;
  /** Connections that named a key and then used it. */
  readonly #withKey = new WeakSet<TLSSocket>();

  /** @throws ServeError `SERVE_INVALID_OPTION` */
  constructor({ fleet, secrets, tls, trustNetwork = false }: LinkSecurityOptions) {
    this.fleet = fleet;
    this.#keys = secrets.map((secret) => linkKeys(secret, fleet));
    this.#tls = tls;
    if (tls !== undefined) this.mode = LINK_MODE.certificates;
    else this.mode = trustNetwork ? LINK_MODE.plain : LINK_MODE.preShared;
  }

  /** Replaces the certificates, in the mode `certificates`, for links that are dialled from now on. */
  renew(certificates: LinkCertificates): void {
    this.#tls = certificates;
  }

  /** Keys that this instance proves. */
  get own(): LinkKeys {
    return this.#keys[0] as LinkKeys;
  }

  /** Returns the keys that a peer names; undefined for an unknown id. */
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

  /** Returns the key that a connection names; null for an unknown id. */
  preSharedKeyOf(socket: TLSSocket, id: string): Buffer | null {
    const key = this.keyOf(id);
    if (key === undefined) return null;
    this.#withKey.add(socket);
    return key.preShared;
  }

  /** Options of the dialer; undefined without TLS. */
  get clientOptions(): ConnectionOptions | undefined {
    if (this.mode === LINK_MODE.plain) return undefined;
    // Membership is proved by the secret, wherever an instance runs: names in certificates are not checked.
    const options = { ...TLS_13, checkServerIdentity: () => undefined };
    if (this.#tls !== undefined)
      return { ...options, ...certificatesOf(this.#tls), rejectUnauthorized: true };
    const { id, preShared } = this.own;
    // No authority is trusted: a server that presents a certificate instead of using the key is not a member.
    return {
      ...options,
      ciphers: PRE_SHARED_CIPHER,
      ca: [],
      pskCallback: () => ({ psk: preShared, identity: id }),
    };
  }

  /**
   * Whether TLS has completed its proof. With a pre-shared key the handshake counts as resumed: without this check a
   * server with a certificate would be accepted.
   */
  isProved(socket: TLSSocket, role: 'dialer' | 'listener'): boolean {
    if (this.mode === LINK_MODE.certificates) return socket.authorized;
    return socket.isSessionReused() && (role === 'dialer' || this.#withKey.has(socket));
  }

  /** Returns the value to which the proof of the secret is bound; empty without TLS. */
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
