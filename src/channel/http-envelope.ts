/**
 * How an HTTP exchange crosses to a replica. Flat arrays and one string for all headers: they clone faster than objects,
 * and nothing is parsed on the host's thread that user code may never look at.
 */

/** Names and values in turn, separated by NUL, which no header can hold. */
export type FlatHeaders = string;

/** Pairs as in Node's `rawHeaders`. */
export function flatten(pairs: readonly string[]): FlatHeaders {
  return pairs.join('\0');
}

/** Names and values in turn. */
export function unflatten(headers: FlatHeaders): string[] {
  return headers === '' ? [] : headers.split('\0');
}

/** All headers of a value that is sent as JSON. */
export const JSON_HEADERS: FlatHeaders = flatten(['content-type', 'application/json; charset=utf-8']);

/** The argument of an HTTP call: method, absolute URL, headers, and the body if it is here already. */
export type RequestEnvelope = readonly [
  method: string,
  url: string,
  headers: FlatHeaders,
  body: Uint8Array | string | undefined,
];

/** The second argument of a WebSocket's call: the sub-protocol, and how many bytes may wait to be sent. */
export type SocketEnvelope = readonly [protocol: string, bufferLimit: number];

/** How a WebSocket is to be closed, or was; without `wasClean` the connection is cut. */
export type CloseEnvelope = readonly [code: number, reason: string, wasClean: boolean];

/** What a WebSocket's call carries in both directions, as chunks. A `CloseEnvelope` is the last one. */
export type SocketFrame = string | Uint8Array | CloseEnvelope;

/** The result of an HTTP call, or (without a body) the head of a streamed one. */
export type ResponseEnvelope = readonly [
  status: number,
  headers: FlatHeaders,
  body: Uint8Array | string | undefined,
];
