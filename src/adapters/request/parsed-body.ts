import type { IncomingMessage } from 'node:http';
import { type FlatHeaders, flatten } from '../../channel/http-envelope.ts';
import { formEntries } from './form-fields.ts';

/** A body that the host's parser has read, written anew, with the headers that fit it. */
export interface ParsedBody {
  readonly body: Uint8Array | string;
  readonly headers: FlatHeaders;
}

/**
 * What is left of a body whose stream is no longer ours: parsed by the host, or read by somebody who kept nothing of it.
 * Undefined while the stream is untouched: parsers leave alone what they do not know, some with an empty object behind.
 */
export function parsedBody(req: IncomingMessage, body: unknown): ParsedBody | undefined {
  // Not `complete`: that is true as soon as the last byte has arrived, read or not.
  const isRead = req.readableEnded;
  if (body === undefined || (!isRead && isEmptyObject(body))) {
    return isRead ? { body: '', headers: headersFor(req, '', undefined) } : undefined;
  }
  if (typeof body === 'string') {
    const text = isJson(req) && !isRawText(req, body) ? JSON.stringify(body) : body;
    return { body: text, headers: headersFor(req, text, typeInUtf8(req)) };
  }
  // A copy of exactly these bytes: a small Buffer would drag its whole pool across.
  if (body instanceof Uint8Array)
    return { body: new Uint8Array(body), headers: headersFor(req, body, undefined) };
  const given = (req.headers['content-type'] ?? '').toLowerCase();
  const isForm = given.startsWith('application/x-www-form-urlencoded');
  const text = isForm ? formText(body) : (JSON.stringify(body) ?? '');
  const isAsGiven = isForm || isJson(req);
  return { body: text, headers: headersFor(req, text, isAsGiven ? typeInUtf8(req) : 'application/json') };
}

function isJson(req: IncomingMessage): boolean {
  return /^application\/(?:[^;]+\+)?json\b/i.test(req.headers['content-type'] ?? '');
}

/**
 * Whether a string under a JSON type is the text of the body, and not a string that a JSON parser has read: that one is at
 * least its quotes shorter.
 */
function isRawText(req: IncomingMessage, text: string): boolean {
  const { 'content-length': given, 'content-encoding': encoding, 'content-type': type = '' } = req.headers;
  const isAsSent = encoding === undefined && !/;\s*charset=(?!"?utf-?8\b)/i.test(type);
  if (given === undefined || !isAsSent) return isJsonText(text);
  const length = Number(given);
  const bytes = Buffer.byteLength(text);
  // Longer than what was sent: bytes that are no UTF-8 have become replacement characters.
  return bytes === length || (bytes > length - 2 && isJsonText(text));
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** @param type undefined: as the client says */
function headersFor(req: IncomingMessage, body: Uint8Array | string, type: string | undefined): FlatHeaders {
  const pairs = unframed(req, type);
  if (type !== undefined) pairs.push('content-type', type);
  pairs.push('content-length', String(Buffer.byteLength(body)));
  return flatten(pairs);
}

/**
 * The headers that hold for a body which somebody has decoded.
 *
 * @param type undefined: as the client says
 */
export function decodedHeaders(req: IncomingMessage, type?: string): FlatHeaders {
  const pairs = unframed(req, type);
  if (type !== undefined) pairs.push('content-type', type);
  return flatten(pairs);
}

function unframed(req: IncomingMessage, type: string | undefined): string[] {
  const { rawHeaders } = req;
  const pairs: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string;
    // The parser has inflated it, and its length is another one.
    if (/^(?::|content-length$|content-encoding$|transfer-encoding$)/i.test(name)) continue;
    if (type !== undefined && /^content-type$/i.test(name)) continue;
    pairs.push(name, rawHeaders[index + 1] as string);
  }
  return pairs;
}

/** The client's type; the text crosses as UTF-8, whatever it came as. */
function typeInUtf8(req: IncomingMessage): string | undefined {
  return req.headers['content-type']?.replace(/(;\s*charset=)("[^"]*"|[^;\s]+)/i, '$1utf-8');
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** As `qs` reads it. */
function formText(body: unknown): string {
  const form = new URLSearchParams();
  for (const [name, value] of formEntries(body, () => false)) form.append(name, String(value));
  return form.toString();
}
