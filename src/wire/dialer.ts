import { connect, isIPv6, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { ServeError } from '../errors.ts';
import { messageOf } from '../values/describe-value.ts';
import type { AddressFilter } from './addresses.ts';
import { type Introduction, PROOF_TIMEOUT_MS, type Session, shakeHands } from './handshake.ts';
import type { LinkSocket } from './link-socket.ts';
import type { LinkSecurity } from './security.ts';
import { openWebSocket } from './websocket-link.ts';
import { FAULT, type FaultCounts } from './wire-error.ts';

export interface DialOptions {
  /** IP address of the peer. */
  readonly host: string;
  readonly port: number;
  readonly allow: AddressFilter;
  readonly security: LinkSecurity;
  readonly self: Introduction;
  /** Id of the dialled instance. */
  readonly expected?: string;
  /** Whether the link keeps the process alive. Default true */
  readonly keepsAlive?: boolean;
  /** Counts what this side finds wrong with the peer until the link is open. */
  readonly counts?: FaultCounts | undefined;
}

/**
 * Opens a link to a peer.
 *
 * @param onOpen creates the handler of the link before the next message is read
 * @throws ServeError `SERVE_UNAUTHORIZED` for a peer without a valid proof, or an address that is not allowed;
 *   `SERVE_UNAVAILABLE` for all other failures, with the cause
 */
export async function dialLink<T>(
  options: DialOptions,
  onOpen: (session: Session, socket: LinkSocket) => T,
): Promise<T> {
  const { host, port, allow, security, counts } = options;
  allow.check(host, port);
  const tcp = connect({ host, port, noDelay: true, keepAlive: true });
  if (options.keepsAlive === false) tcp.unref();
  tcp.setTimeout(PROOF_TIMEOUT_MS, () => tcp.destroy(new Error(`no answer within ${PROOF_TIMEOUT_MS} ms`)));
  try {
    const secured = await secure(tcp, security, counts);
    const socket = await openWebSocket(
      secured ?? tcp,
      isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`,
    );
    tcp.setTimeout(0);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    shakeHands(socket, {
      role: 'dialer',
      self: options.self,
      security,
      binding: security.bindingOf(secured),
      expected: options.expected,
      onOpen: (session) => resolve(onOpen(session, socket)),
      onFailed: (error, fault, isFoundHere) => {
        if (isFoundHere) counts?.add(fault);
        reject(error);
      },
    });
    return await promise;
  } catch (error) {
    tcp.destroy();
    if (error instanceof ServeError) throw error;
    throw new ServeError('SERVE_UNAVAILABLE', `no link to ${host}:${port}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Opens the TLS connection; undefined without TLS. */
async function secure(
  tcp: Socket,
  security: LinkSecurity,
  counts: FaultCounts | undefined,
): Promise<TLSSocket | undefined> {
  const { clientOptions } = security;
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket | undefined>();
  tcp.once('error', reject);
  tcp.once('close', () => reject(new Error('the connection was closed')));
  if (clientOptions === undefined) {
    tcp.once('connect', () => resolve(undefined));
    return promise;
  }
  const socket = connectTls({ ...clientOptions, socket: tcp });
  socket.once('error', reject);
  socket.once('secureConnect', () => {
    if (security.isProved(socket, 'dialer')) {
      resolve(socket);
      return;
    }
    counts?.add(FAULT.unauthorized);
    reject(new ServeError('SERVE_UNAUTHORIZED', 'no link: the peer did not use a key of this fleet'));
  });
  return promise;
}
