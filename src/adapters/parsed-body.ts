import type { IncomingMessage } from 'node:http';
import { type FlatHeaders, flatten } from '../replica/ingress/envelope.ts';

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
  if (typeof body === 'string') return { body, headers: headersFor(req, body, typeInUtf8(req)) };
  // A copy of exactly these bytes: a small Buffer would drag its whole pool across.
  if (body instanceof Uint8Array)
    return { body: new Uint8Array(body), headers: headersFor(req, body, undefined) };
  const given = (req.headers['content-type'] ?? '').toLowerCase();
  const isForm = given.startsWith('application/x-www-form-urlencoded');
  const text = isForm ? formText(body) : (JSON.stringify(body) ?? '');
  const isAsGiven = isForm || /^application\/(?:[^;]+\+)?json\b/.test(given);
  return { body: text, headers: headersFor(req, text, isAsGiven ? typeInUtf8(req) : 'application/json') };
}

/** @param type undefined: as the client says */
function headersFor(req: IncomingMessage, body: Uint8Array | string, type: string | undefined): FlatHeaders {
  const pairs = unframed(req, type);
  if (type !== undefined) pairs.push('content-type', type);
  pairs.push('content-length', String(Buffer.byteLength(body)));
  return flatten(pairs);
}

/** The headers that hold for a body which somebody has decoded. */
export function decodedHeaders(req: IncomingMessage): FlatHeaders {
  return flatten(unframed(req, undefined));
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

/** As `qs` reads it: `a[b]=c` for what is nested, the name again for each item of a list. */
function formText(body: unknown): string {
  const form = new URLSearchParams();
  const append = (name: string, value: unknown): void => {
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) append(isNested(item) ? `${name}[${index}]` : name, item);
    } else if (isNested(value)) {
      for (const [key, item] of Object.entries(value)) append(name === '' ? key : `${name}[${key}]`, item);
    } else {
      form.append(name, String(value));
    }
  };
  append('', body);
  return form.toString();
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
