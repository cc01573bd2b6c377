import type { IncomingMessage } from 'node:http';
import { Refusal } from '../response/refusal.ts';
import type { ResolvedWebSocketOptions } from './websocket-options.ts';

/** The headers of a response that asks for an upgrade (RFC 9110, 7.8) and closes the connection. */
export const UPGRADE_TO_WEBSOCKET = { upgrade: 'websocket', connection: 'close, upgrade' };
/** The supported version of the protocol (RFC 6455, 4.4). */
const VERSIONS = { 'sec-websocket-version': '13', ...UPGRADE_TO_WEBSOCKET };

export function isWebSocket(req: IncomingMessage): boolean {
  return req.headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Checks the headers that the library would refuse, before the request takes a place at a replica (RFC 6455, 4.2.1).
 *
 * @throws Refusal
 */
export function assertHandshake(req: IncomingMessage): void {
  const { 'sec-websocket-key': key, 'sec-websocket-version': version } = req.headers;
  if (req.method !== 'GET')
    throw new Refusal(405, 'METHOD_NOT_ALLOWED', 'a WebSocket handshake must be a GET request', {
      allow: 'GET',
    });
  if (version !== '13' && version !== '8')
    throw new Refusal(426, 'WEBSOCKET_VERSION', 'Sec-WebSocket-Version must be 13', VERSIONS);
  if (key === undefined || !/^[+/0-9A-Za-z]{22}==$/.test(key))
    throw new Refusal(400, 'SERVE_BAD_REQUEST', 'Sec-WebSocket-Key is missing or malformed');
}

/**
 * Checks the origin of a page: browsers let any page connect to any server with the user's cookies, and only name its origin.
 *
 * @param host the host that the client requested, if the `Host` header was set by a trusted proxy
 * @throws Refusal
 */
export function assertOrigin(
  req: IncomingMessage,
  origins: ResolvedWebSocketOptions['origins'],
  host: string | undefined = req.headers.host,
): void {
  const { origin } = req.headers;
  if (origin === undefined || origins === 'any') return;
  const isAllowed =
    origins === 'same' ? isSameHost(origin, host) : origins.some((one) => isSame(one, origin));
  if (!isAllowed)
    throw new Refusal(403, 'ORIGIN_NOT_ALLOWED', 'pages of this origin are not allowed to connect');
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

/** Compares host and port, not the scheme: behind a proxy that ends TLS the server does not know its own scheme. */
function isSameHost(origin: string, host: string | undefined): boolean {
  const page = URL.parse(origin);
  if (page === null || host === undefined) return false;
  return page.host !== '' && page.host === URL.parse(`${page.protocol}//${host}`)?.host;
}

/** The first of our sub-protocols that the client offers; undefined if it offers none of them. */
export function agreedProtocol(offered: Iterable<string>, ours: readonly string[]): string | undefined {
  const theirs = new Set(offered);
  return ours.find((protocol) => theirs.has(protocol));
}

export function offeredProtocols(req: IncomingMessage): string[] {
  return (req.headers['sec-websocket-protocol'] ?? '').split(',').map((protocol) => protocol.trim());
}
