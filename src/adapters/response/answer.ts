import { ServerResponse } from 'node:http';
import { type FlatHeaders, JSON_HEADERS, unflatten } from '../../channel/http-envelope.ts';
import type { HttpResponse } from '../exchange.ts';
import { isKnownToClient } from './entity-tag.ts';

const { writeHead: nativeWriteHead } = ServerResponse.prototype;

const UPGRADE_REQUIRED = 426;

/** The exchange that an answer is written to. */
export interface AnswerTo {
  readonly res: HttpResponse;
  readonly requestId: string;
  readonly isHead: boolean;
  /** Whether there is no other handler, which might want to see the headers. */
  readonly isAlone: boolean;
  /** Whether the answer ends its connection, because the instance is shutting down. */
  readonly isLast: boolean;
}

/**
 * Sends a whole answer. If no other handler touches the response, its head is written in one piece, because `setHeader` for
 * each header takes a tenth of the time of a small request.
 */
export function sendWhole(
  to: AnswerTo,
  status: number,
  headers: FlatHeaders,
  body: Uint8Array | string | undefined,
): void {
  const { res, requestId } = to;
  if (to.isLast) res.shouldKeepAlive = false;
  const sent = hasNoBody(status) ? undefined : body;
  if (to.isAlone && sent !== undefined && status !== UPGRADE_REQUIRED && isUntouched(res)) {
    res.writeHead(status, inOnePiece(headers, requestId, Buffer.byteLength(sent)));
    res.end(sent);
    return;
  }
  prepareHead(to, status, headers);
  if (sent !== undefined && status === 200 && headers === JSON_HEADERS && isKnownToClient(res, sent)) {
    res.statusCode = 304;
    res.removeHeader('content-type');
    res.end();
    return;
  }
  if (sent !== undefined) {
    res.setHeader('content-length', Buffer.byteLength(sent));
    res.end(sent);
    return;
  }
  if (status === 204) res.removeHeader('content-length');
  // Answers to HEAD and 304 may give the length of the body that they leave out.
  else if (status !== 304 && !to.isHead) res.setHeader('content-length', 0);
  res.end();
}

/** Sets status and headers. Cookies and `vary` of the host are kept beside those of the app. */
export function prepareHead(
  { res, requestId, isLast }: AnswerTo,
  status: number,
  headers: FlatHeaders,
): void {
  res.statusCode = status;
  if (isLast) res.shouldKeepAlive = false;
  res.setHeader('x-request-id', requestId);
  // The length may belong to another body: Koa sets it with `ctx.body`.
  res.removeHeader('content-length');
  const pairs = pairsOf(headers);
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const name = pairs[index] as string;
    const value = pairs[index + 1] as string;
    if (name === 'set-cookie' || name === 'vary') res.appendHeader(name, value);
    else if (name !== 'x-request-id') res.setHeader(name, value);
  }
  if (status === UPGRADE_REQUIRED) nameUpgrade(res);
}

/** Names `upgrade` as an option of the connection (RFC 9110, 7.8). Node keeps a connection unless the header says `close`. */
function nameUpgrade(res: HttpResponse): void {
  if (!res.hasHeader('upgrade') || res.req.httpVersionMajor > 1) return;
  res.setHeader('connection', res.shouldKeepAlive === false ? 'close, upgrade' : 'upgrade');
}

export function hasNoBody(status: number): boolean {
  return status === 204 || status === 304;
}

/** Whether no header is set and `writeHead` is Node's own, neither replaced by middleware nor that of HTTP/2. */
function isUntouched(res: HttpResponse): res is HttpResponse & Pick<ServerResponse, 'writeHead'> {
  return (
    (res as { readonly writeHead?: unknown }).writeHead === nativeWriteHead &&
    res.getHeaderNames().length === 0
  );
}

function inOnePiece(headers: FlatHeaders, requestId: string, length: number): string[] {
  const all = ['x-request-id', requestId];
  const pairs = pairsOf(headers);
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const name = pairs[index] as string;
    if (name !== 'x-request-id' && name !== 'content-length') all.push(name, pairs[index + 1] as string);
  }
  all.push('content-length', String(length));
  return all;
}

let known: FlatHeaders = '';
let knownPairs: readonly string[] = [];

/** Names and values in turn. The last result is kept, because most answers of an app have the same headers. */
function pairsOf(headers: FlatHeaders): readonly string[] {
  if (headers !== known) {
    known = headers;
    knownPairs = unflatten(headers);
  }
  return knownPairs;
}
