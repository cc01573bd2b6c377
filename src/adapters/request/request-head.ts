import type { IncomingMessage } from 'node:http';
import { type FlatHeaders, flatten } from '../../channel/http-envelope.ts';
import { ServeError } from '../../errors.ts';
import type { HostContext } from '../exchange.ts';
import { Refusal } from '../response/refusal.ts';

/** Characters that are safe in logs and headers. */
const SAFE_ID = /^[A-Za-z0-9._~:@=+/-]{1,128}$/;
const SAFE_HOST = /^[A-Za-z0-9._:[\]-]{1,255}$/;

/** Absolute form of a target, as it is sent to a proxy, up to its path. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i;

const TRACE = /^([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Flags of a version that is not known: only the lowest bit has a meaning. */
const SAMPLED = 1;

/** Characters that vendors are to carry on at least (W3C Trace Context, 3.3.1.1); it is a hint, and may be dropped. */
const TRACESTATE = /^[\x20-\x7e\t]{1,512}$/;

/** The client's request id if it is safe to keep. */
export function givenRequestId(req: IncomingMessage): string | undefined {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && SAFE_ID.test(given) ? given : undefined;
}

/** The client's trace context (W3C Trace Context) in version 00 if it is well-formed; later versions begin as that does. */
export function givenTraceparent(req: IncomingMessage): string | undefined {
  const given = req.headers['traceparent'];
  const parts = typeof given === 'string' ? TRACE.exec(given) : null;
  if (parts === null) return undefined;
  const [, version, ids, flags = '', rest] = parts;
  if (version === '00') return rest === undefined ? (given as string) : undefined;
  return version === 'ff' ? undefined : `00-${ids}-0${Number.parseInt(flags, 16) & SAMPLED}`;
}

/** What vendors add to the client's trace context. */
export function givenTracestate(req: IncomingMessage): string | undefined {
  const given = req.headers['tracestate'];
  return typeof given === 'string' && TRACESTATE.test(given) ? given : undefined;
}

/** The client's own deadline in ms; it may only shorten ours. Anything odd is ignored. */
export function givenTimeout(req: IncomingMessage): number | undefined {
  const given = req.headers['x-request-timeout-ms'];
  if (typeof given !== 'string' || !/^\d{1,9}$/.test(given)) return undefined;
  const timeout = Number(given);
  return timeout > 0 ? timeout : undefined;
}

/**
 * A segment that `URL` would resolve or a character that it would turn into a slash: the host's routes and guards went by
 * the path as it is, so another one behind them would be a way around them.
 */
const AMBIGUOUS_PATH = /\\|\/(?:\.|%2e){1,2}(?:\/|$)/i;

/** What `Request` refuses (fetch, 2.2.1); Node's parser lets no TRACK through, and CONNECT is an event of its own. */
const UNANSWERABLE = 'TRACE';
/** What an ingress may be asked with, as far as the host knows. */
const ANSWERABLE = { allow: 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS' };

/** Why no ingress can be asked with the method of a request; undefined if it can. */
export function refusedMethod({ method }: IncomingMessage): Refusal | undefined {
  if (method !== UNANSWERABLE) return undefined;
  return new Refusal(405, 'METHOD_NOT_ALLOWED', `${method} is not supported`, ANSWERABLE);
}

/**
 * The URL as the ingress sees it: without the mount prefix, scheme and host as the host's trust-proxy setting says. The
 * replica normalizes it when it is looked at.
 *
 * @param url what the framework left of the request's target
 * @param target the request's target as it was sent
 * @param prefix what of that is the mount point of the app
 * @returns `SERVE_BAD_REQUEST` for a host or a target that makes no URL, or not one that means the same
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
  // The target's own authority goes before the Host header (RFC 9112, 3.2.2), not before what a trusted proxy says.
  const host = named !== undefined && (told === sent || !isHost(sent)) ? named : told;
  const given = named ?? sent;
  // Koa makes `host` of `user@host`.
  if (!isHost(host) || (host !== given && !isHost(given)))
    return new ServeError('SERVE_BAD_REQUEST', 'the Host header is malformed');
  return `${isSecure(req, context) ? 'https' : 'http'}://${host}${withoutPrefix(path, prefix)}`;
}

/** The authority of a target in absolute form. */
function authorityOf(target: string): string | undefined {
  if (target.startsWith('/')) return undefined;
  return ABSOLUTE.exec(target)?.[1];
}

/** A fragment would be cut off; the host's routes and guards may have taken it for a part of the path. */
function isAmbiguous(path: string): boolean {
  if (path.includes('#')) return true;
  if (!path.includes('/.') && !path.includes('%2') && !path.includes('\\')) return false;
  const query = path.indexOf('?');
  return AMBIGUOUS_PATH.test(query < 0 ? path : path.slice(0, query));
}

function hostOf(given: string, { host, hostname }: HostContext): string {
  // Koa's is empty where there is none.
  if (host !== undefined && host !== '') return host;
  // Middie tells the name alone, which is another one behind a trusted proxy.
  return hostname === undefined || hostname === '' || given.startsWith(hostname) ? given : hostname;
}

/** Path and query of a request target; undefined if it has none. */
export function pathOf(target: string): string | undefined {
  if (target.startsWith('/')) return target;
  const [origin] = ABSOLUTE.exec(target) ?? [];
  if (origin === undefined) return undefined;
  const rest = target.slice(origin.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** A request target without the first so many segments of its path, however they are spelled. */
export function withoutSegments(target: string, count: number): string {
  const path = pathOf(target);
  if (path === undefined || count === 0) return target;
  const rest = path.replace(new RegExp(`^(?:/+[^/?#]+){${count}}`), '');
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/**
 * What of the request's path is no longer in its URL, and the app's own prefix. Never begins with two slashes: a redirect
 * to below it would lead to another host.
 */
export function mountPath(originalUrl: string, url: string, prefix: string): string {
  if (originalUrl === url) return prefix;
  const original = pathOf(originalUrl) ?? '';
  const path = pathOf(url) ?? '';
  // Of `/mounted?q` frameworks make `/?q`.
  const rest = [path, path.slice(1)].find((text) => original.endsWith(text));
  if (rest === undefined) return prefix;
  const mount = original.slice(0, original.length - rest.length);
  return mount.replace(/^\/+/, '/').replace(/\/+$/, '') + prefix;
}

/** A few that were found to be good; most requests to a server name the same host. */
const knownHosts = new Set<string>();
const KNOWN_HOSTS = 16;

/** Whether a URL can be made of it. */
function isHost(host: string): boolean {
  if (knownHosts.has(host)) return true;
  if (!SAFE_HOST.test(host) || !URL.canParse(`http://${host}/`)) return false;
  if (knownHosts.size >= KNOWN_HOSTS) knownHosts.clear();
  knownHosts.add(host);
  return true;
}

/** A trusted proxy may say any word. */
function isSecure(req: IncomingMessage, { protocol }: HostContext): boolean {
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
export function routeParams({ params }: HostContext): Record<string, string> | undefined {
  if (typeof params !== 'object' || params === null) return undefined;
  let given: Record<string, string> | undefined;
  for (const [name, value] of Object.entries(params)) {
    const text: unknown = Array.isArray(value) ? value.join('/') : value;
    // Fastify's wildcard is the path itself.
    if (typeof text !== 'string' || name === '*') continue;
    given ??= Object.create(null) as Record<string, string>;
    given[name] = text;
  }
  return given;
}

export function clientIp(req: IncomingMessage, { ip }: HostContext): string | undefined {
  return ip ?? req.socket?.remoteAddress;
}
