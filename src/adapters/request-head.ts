import type { IncomingMessage } from 'node:http';
import { ServeError } from '../errors.ts';
import { type FlatHeaders, flatten } from '../replica/ingress/envelope.ts';

/** Characters that are safe in logs and headers. */
const SAFE_ID = /^[A-Za-z0-9._~:@=+/-]{1,128}$/;
const SAFE_HOST = /^[A-Za-z0-9._:[\]-]{1,255}$/;

/** What Express (and Fastify through middie) add to a request. */
interface HostedRequest extends IncomingMessage {
  readonly protocol?: string;
  readonly host?: string;
  readonly ip?: string;
  readonly params?: object;
}

/** The client's request id if it is safe to keep. */
export function givenRequestId(req: IncomingMessage): string | undefined {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && SAFE_ID.test(given) ? given : undefined;
}

/** The client's own deadline in ms; it may only shorten ours. Anything odd is ignored. */
export function givenTimeout(req: IncomingMessage): number | undefined {
  const given = req.headers['x-request-timeout-ms'];
  if (typeof given !== 'string' || !/^\d{1,9}$/.test(given)) return undefined;
  const timeout = Number(given);
  return timeout > 0 ? timeout : undefined;
}

/**
 * The URL as the ingress sees it: without the mount prefix, scheme and host as the host's trust-proxy setting says. The
 * replica normalizes it when it is looked at.
 *
 * @param prefix what of the path is the mount point; frameworks have cut theirs off already
 * @throws ServeError `SERVE_BAD_REQUEST` for a host or a target that makes no URL
 */
export function absoluteUrl(req: HostedRequest, prefix: string): string {
  const path = pathOf(req.url ?? '/');
  if (path === undefined) throw new ServeError('SERVE_BAD_REQUEST', 'the request target is malformed');
  const host = req.host ?? req.headers.host ?? req.headers[':authority'] ?? 'localhost';
  if (typeof host !== 'string' || !isHost(host)) {
    throw new ServeError('SERVE_BAD_REQUEST', 'the Host header is malformed');
  }
  return `${isSecure(req) ? 'https' : 'http'}://${host}${withoutPrefix(path, prefix)}`;
}

/** Path and query of a request target; undefined if it has none. */
export function pathOf(target: string): string | undefined {
  if (target.startsWith('/')) return target;
  // Absolute form, as sent to a proxy.
  if (!/^https?:\/\//i.test(target)) return undefined;
  const url = URL.parse(target);
  return url === null ? undefined : `${url.pathname}${url.search}`;
}

let knownHost = '';

/** Whether a URL can be made of it; most requests to a server name the same host. */
function isHost(host: string): boolean {
  if (host === knownHost) return true;
  if (!SAFE_HOST.test(host) || !URL.canParse(`http://${host}/`)) return false;
  knownHost = host;
  return true;
}

/** A trusted proxy may say any word. */
function isSecure(req: HostedRequest): boolean {
  const { protocol } = req;
  if (protocol === undefined) return Reflect.get(req.socket, 'encrypted') === true;
  return protocol === 'https' || protocol === 'wss';
}

function withoutPrefix(path: string, prefix: string): string {
  if (prefix === '') return path;
  const rest = path.slice(prefix.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** Headers in their given order; without the pseudo headers of HTTP/2. */
export function requestHeaders(req: IncomingMessage): FlatHeaders {
  const { rawHeaders } = req;
  if (req.httpVersionMajor < 2) return flatten(rawHeaders);
  const pairs: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    if (!name.startsWith(':')) pairs.push(name, rawHeaders[index + 1] as string);
  }
  return flatten(pairs);
}

/** Route parameters of the mount path; a wildcard's segments are one path again. */
export function routeParams(req: HostedRequest): Record<string, string> | undefined {
  const { params } = req;
  if (typeof params !== 'object' || params === null) return undefined;
  let given: Record<string, string> | undefined;
  for (const [name, value] of Object.entries(params)) {
    const text: unknown = Array.isArray(value) ? value.join('/') : value;
    if (typeof text !== 'string') continue;
    given ??= Object.create(null) as Record<string, string>;
    given[name] = text;
  }
  return given;
}

export function clientIp(req: HostedRequest): string | undefined {
  return req.ip ?? req.socket?.remoteAddress;
}
