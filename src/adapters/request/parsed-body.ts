import type { IncomingMessage } from 'node:http';
import { type FlatHeaders, flatten } from '../../channel/http-envelope.ts';
import { formEntries } from './form-fields.ts';

/** A body that the host's parser has read, encoded again, with matching headers. */
export interface ParsedBody {
  readonly body: Uint8Array | string;
  readonly headers: FlatHeaders;
}

/**
 * The body of a request whose stream was read: the result of the host's parser, or an empty body if the reader kept nothing.
 * Undefined while the stream is untouched: parsers do not read types that they do not know, but some leave an empty object.
 */
export function parsedBody(req: IncomingMessage, body: unknown): ParsedBody | undefined {
  // `complete` would not do: it is true as soon as the last byte has arrived, even if it was not read.
  const isRead = req.readableEnded;
  if (body === undefined || (!isRead && isEmptyObject(body))) {
    return isRead ? { body: '', headers: headersFor(req, '', undefined) } : undefined;
  }
  if (typeof body === 'string') {
    const text = isJson(req) && !isRawText(req, body) ? JSON.stringify(body) : body;
    return { body: text, headers: headersFor(req, text, typeInUtf8(req)) };
  }
  // Copied, because a small Buffer would drag its whole pool along.
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
 * Whether a string under a JSON type is the text of the body. A string that a JSON parser has read from the body is shorter
 * than the body at least by its quotes.
 */
function isRawText(req: IncomingMessage, text: string): boolean {
  const { 'content-length': given, 'content-encoding': encoding, 'content-type': type = '' } = req.headers;
  const isAsSent = encoding === undefined && !/;\s*charset=(?!"?utf-?8\b)/i.test(type);
  if (given === undefined || !isAsSent) return isJsonText(text);
  const length = Number(given);
  const bytes = Buffer.byteLength(text);
  // The text is longer than the body if bytes that are not UTF-8 have become replacement characters.
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

/** @param type the new content type; undefined to keep that of the client */
function headersFor(req: IncomingMessage, body: Uint8Array | string, type: string | undefined): FlatHeaders {
  const pairs = unframed(req, type);
  if (type !== undefined) pairs.push('content-type', type);
  pairs.push('content-length', String(Buffer.byteLength(body)));
  return flatten(pairs);
}

/**
 * The headers for a body that the host has decoded.
 *
 * @param type the new content type; undefined to keep that of the client
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
    // The parser has decompressed the body, which changed its length.
    if (/^(?::|content-length$|content-encoding$|transfer-encoding$)/i.test(name)) continue;
    if (type !== undefined && /^content-type$/i.test(name)) continue;
    pairs.push(name, rawHeaders[index + 1] as string);
  }
  return pairs;
}

/** The client's content type with the charset UTF-8, in which text is sent on. */
function typeInUtf8(req: IncomingMessage): string | undefined {
  return req.headers['content-type']?.replace(/(;\s*charset=)("[^"]*"|[^;\s]+)/i, '$1utf-8');
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** Encodes fields in the notation that `qs` reads. */
function formText(body: unknown): string {
  const form = new URLSearchParams();
  for (const [name, value] of formEntries(body, () => false)) form.append(name, String(value));
  return form.toString();
}
