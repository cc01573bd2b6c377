import type { IncomingMessage } from 'node:http';
import { type FlatHeaders, flatten } from '../../channel/http-envelope.ts';
import { ServeError } from '../../errors.ts';
import type { HostContext } from '../exchange.ts';
import { Refusal } from '../response/refusal.ts';

/** Characters that are safe in logs and headers. */
const SAFE_ID = /^[A-Za-z0-9._~:@=+/-]{1,128}$/;
const SAFE_HOST = /^[A-Za-z0-9._:[\]-]{1,255}$/;

/** The start of a request target in absolute form, as clients send it to a proxy, up to its path. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

const TRACE = /^([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The only flag that is defined for versions of the format that are not known yet. */
const SAMPLED = 1;

/** The length of `tracestate` that must be propagated (W3C Trace Context, 3.3.1.1); a longer one may be dropped. */
const TRACESTATE = /^[\x20-\x7e\t]{1,512}$/;

/** The client's request id, if it is safe to use. */
export function givenRequestId(req: IncomingMessage): string | undefined {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && SAFE_ID.test(given) ? given : undefined;
}

/** The client's trace context (W3C Trace Context) in version 00, if it is well-formed; later versions begin in the same way. */
export function givenTraceparent(req: IncomingMessage): string | undefined {
  const given = req.headers['traceparent'];
  const parts = typeof given === 'string' ? TRACE.exec(given) : null;
  if (parts === null) return undefined;
  const [, version, ids, flags = '', rest] = parts;
  if (version === '00') return rest === undefined ? (given as string) : undefined;
  return version === 'ff' ? undefined : `00-${ids}-0${Number.parseInt(flags, 16) & SAMPLED}`;
}

/** The vendors' additions to the client's trace context. */
export function givenTracestate(req: IncomingMessage): string | undefined {
  const given = req.headers['tracestate'];
  return typeof given === 'string' && TRACESTATE.test(given) ? given : undefined;
}

/** The client's own time limit in ms, which can only shorten the deadline. An invalid value is ignored. */
export function givenTimeout(req: IncomingMessage): number | undefined {
  const given = req.headers['x-request-timeout-ms'];
  if (typeof given !== 'string' || !/^\d{1,9}$/.test(given)) return undefined;
  const timeout = Number(given);
  return timeout > 0 ? timeout : undefined;
}

/**
 * Matches a segment that `URL` would resolve, or a character that it would turn into a slash. The host's routes and guards see
 * the unresolved path, so a resolved one behind them could bypass them.
 */
const AMBIGUOUS_PATH = /\\|\/(?:\.|%2e){1,2}(?:\/|$)/i;

/** The method that `Request` refuses (fetch, 2.2.1). Node's parser refuses TRACK, and CONNECT is an event of its own. */
const UNANSWERABLE = 'TRACE';
/** The header with the methods that an ingress may support. */
const ANSWERABLE = { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' };

/** The refusal of a request whose method no ingress can be asked with; undefined for any other request. */
export function refusedMethod({ method }: IncomingMessage): Refusal | undefined {
  if (method !== UNANSWERABLE) return undefined;
  return new Refusal(405, 'METHOD_NOT_ALLOWED', `${method} is not supported`, ANSWERABLE);
}

/**
 * The URL as the ingress sees it: without the mount prefix, and with scheme and host according to the host's trust-proxy
 * setting. The replica normalizes it when it is read.
 *
 * @param url the request target without the path of the framework's mount
 * @param target the request target as it was sent
 * @param prefix the part of the target that is the route prefix of the app
 * @returns `SERVE_BAD_REQUEST` if host and target do not make a URL, or make one with another meaning
 */
export function absoluteUrl(
  url: string,
  target: string,
  req: IncomingMessage,
  context: HostContext,
  prefix: string,
): string | ServeError {
  const path = pathOf(url);
  if (path === undefined || isAmbiguous(path)) {
    return new ServeError('SERVE_BAD_REQUEST', 'the request target is malformed');
  }
  const sent = String(req.headers.host ?? req.headers[':authority'] ?? 'localhost');
  const named = authorityOf(target);
  const told = hostOf(sent, context);
  // The target's own authority overrides the Host header (RFC 9112, 3.2.2), but not the host given by a trusted proxy.
  const host = named !== undefined && (told === sent || !isHost(sent)) ? named : told;
  const given = named ?? sent;
  // Koa turns `user@host` into `host`.
  if (!isHost(host) || (host !== given && !isHost(given)))
    return new ServeError('SERVE_BAD_REQUEST', 'the Host header is malformed');
  return `${isSecure(req, context) ? 'https' : 'http'}://${host}${withoutPrefix(path, prefix)}`;
}

/** The authority of a target in absolute form. */
function authorityOf(target: string): string | undefined {
  if (target.startsWith('/')) return undefined;
  return ABSOLUTE.exec(target)?.[1];
}

/** Whether a path is read differently by `URL`: a fragment would be cut off, although guards may see it as part of the path. */
function isAmbiguous(path: string): boolean {
  if (path.includes('#')) return true;
  if (!path.includes('/.') && !path.includes('%2') && !path.includes('\\')) return false;
  const query = path.indexOf('?');
  return AMBIGUOUS_PATH.test(query < 0 ? path : path.slice(0, query));
}

/** The host that the client requested. @param given host by the header `Host` */
export function hostOf(given: string, context: HostContext): string {
  // The `host` of Express 4 has no port, and reading it prints a warning.
  const isNameOnly = typeof context.app?.lazyrouter === 'function';
  const { hostname, host } = isNameOnly ? { hostname: context.hostname } : context;
  // Koa uses an empty string for a missing host.
  if (host !== undefined && host !== '') return host;
  // Middie, too, gives only the host name, which differs from the Host header behind a trusted proxy.
  if (hostname === undefined || hostname === '' || given === hostname) return given;
  return given.startsWith(`${hostname}:`) ? given : hostname;
}

/** The path and query of a request target; undefined if it has no path. */
export function pathOf(target: string): string | undefined {
  if (target.startsWith('/')) return target;
  const [origin] = ABSOLUTE.exec(target) ?? [];
  if (origin === undefined) return undefined;
  const rest = target.slice(origin.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** A request target without the first `count` segments of its path, however they are spelled. */
export function withoutSegments(target: string, count: number): string {
  const path = pathOf(target);
  if (path === undefined || count === 0) return target;
  const rest = path.replace(new RegExp(`^(?:/+[^/?#]+){${count}}`), '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * The path below which the app is served: the part that the framework removed from the URL, and the app's own prefix. It never
 * begins with two slashes, because a redirect below it would lead to another host.
 */
export function mountPath(originalUrl: string, url: string, prefix: string): string {
  if (originalUrl === url) return prefix;
  const original = pathOf(originalUrl) ?? '';
  const path = pathOf(url) ?? '';
  // Frameworks turn `/mounted?q` into `/?q`.
  const rest = [path, path.slice(1)].find((text) => original.endsWith(text));
  if (rest === undefined) return prefix;
  const mount = original.slice(0, original.length - rest.length);
  return mount.replace(/^\/+/, '/').replace(/\/+$/, '') + prefix;
}

/** A few hosts that were found to be valid, because most requests to a server have the same host. */
const knownHosts = new Set<string>();
const KNOWN_HOSTS = 16;

/** Whether a host can be part of a URL. */
function isHost(host: string): boolean {
  if (knownHosts.has(host)) return true;
  if (!SAFE_HOST.test(host) || !URL.canParse(`http://${host}/`)) return false;
  if (knownHosts.size >= KNOWN_HOSTS) knownHosts.clear();
  knownHosts.add(host);
  return true;
}

/** Whether the client used TLS. A trusted proxy may give any protocol. */
function isSecure(req: IncomingMessage, { protocol }: HostContext): boolean {
  // Read in place: `Reflect.get` takes ten times as long for a member that is missing.
  if (protocol === undefined) return (req.socket as { readonly encrypted?: unknown }).encrypted === true;
  return protocol === 'https' || protocol === 'wss';
}

function withoutPrefix(path: string, prefix: string): string {
  if (prefix === '') return path;
  const rest = path.slice(prefix.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** The headers in their original order, without the pseudo headers of HTTP/2. */
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

/** The route parameters of the mount path. The segments of a wildcard are joined to a path. */
export function routeParams({ params }: HostContext): Record<string, string> | undefined {
  if (typeof params !== 'object' || params === null) return undefined;
  let given: Record<string, string> | undefined;
  for (const [name, value] of Object.entries(params)) {
    const text: unknown = Array.isArray(value) ? value.join('/') : value;
    // The wildcard of Fastify holds the path itself.
    if (typeof text !== 'string' || name === '*') continue;
    given ??= Object.create(null) as Record<string, string>;
    given[name] = text;
  }
  return given;
}

export function clientIp(req: IncomingMessage, { ip }: HostContext): string | undefined {
  return ip ?? req.socket?.remoteAddress;
}
