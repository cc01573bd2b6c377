/**
 * The data in which an HTTP exchange crosses to a replica: flat arrays and one string for all headers. They clone
 * faster than objects, and the host's thread parses nothing that user code may never read.
 */

/** Alternating names and values, separated by NUL, which no header can hold. */
export type FlatHeaders = string;

/** Flattens pairs as in Node's `rawHeaders`. */
export function flatten(pairs: readonly string[]): FlatHeaders {
  return pairs.join('\0');
}

/** Returns alternating names and values. */
export function unflatten(headers: FlatHeaders): string[] {
  return headers === '' ? [] : headers.split('\0');
}

/** All headers of a value that is sent as JSON. */
export const JSON_HEADERS: FlatHeaders = flatten(['content-type', 'application/json; charset=utf-8']);

/** The argument of an HTTP call: method, absolute URL, headers, and the body if it has arrived already. */
export type RequestEnvelope = readonly [
  method: string,
  url: string,
  headers: FlatHeaders,
  body: Uint8Array | string | undefined,
];

/** The second argument of a WebSocket's call: the sub-protocol, and how many bytes may wait to be sent. */
export type SocketEnvelope = readonly [protocol: string, bufferLimit: number];

/** The close of a WebSocket, requested or reported; without `wasClean` the connection is cut. */
export type CloseEnvelope = readonly [code: number, reason: string, wasClean: boolean];

/** The chunks that a WebSocket's call carries in both directions. A `CloseEnvelope` is the last one. */
export type SocketFrame = string | Uint8Array | CloseEnvelope;

/** The result of an HTTP call, or (without a body) the head of a streamed one. */
export type ResponseEnvelope = readonly [
  status: number,
  headers: FlatHeaders,
  body: Uint8Array | string | undefined,
];
