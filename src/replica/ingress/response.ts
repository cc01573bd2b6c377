import { types } from 'node:util';
import { type FlatHeaders, flatten, JSON_HEADERS, packResponse } from '../../channel/http-envelope.ts';
import { resultKinds } from '../../openapi/result-kinds.ts';
import { toJsonSchema } from '../../validation/json-schema.ts';
import { peek } from '../../validation/peek.ts';
import type { Schema } from '../../validation/schema.ts';
import { Capture, RESULT } from '../../values/capture.ts';
import type { RunningCall } from '../running-call.ts';
import { outputOf } from '../schemas.ts';
import { isStream } from '../stream-pump.ts';
import { isResponse, nativeBody } from './foreign.ts';
import { responseHeaders } from './response-head.ts';
import { type BodySource, fromIterable, fromReadable, ResponseStream } from './response-stream.ts';
import { eventsOf } from './sse.ts';
import { toJson } from './to-json.ts';

const NONE: FlatHeaders = '';
const TEXT: FlatHeaders = flatten(['content-type', 'text/plain; charset=utf-8']);
const BYTES: FlatHeaders = flatten(['content-type', 'application/octet-stream']);
const JSON_LINES: FlatHeaders = flatten(['content-type', 'application/x-ndjson; charset=utf-8']);

type Chunk = string | Uint8Array;

/** The members by which a result may show that it is not plain data. */
interface Tagged {
  readonly [Symbol.toStringTag]?: unknown;
  readonly [Symbol.asyncIterator]?: unknown;
  readonly status?: unknown;
}

/**
 * Answers an HTTP call with the result of the ingress method: a `Response` as it is, text, bytes, a stream, no result (204),
 * any other value as JSON.
 */
export function respond(call: RunningCall, result: unknown): void | Promise<void> {
  if (result === undefined || result === null) {
    finish(call, 204, NONE, undefined);
  } else if (typeof result === 'string') {
    finish(call, 200, TEXT, result);
  } else if (typeof result !== 'object' || isPlainData(result)) {
    finish(call, 200, JSON_HEADERS, toJson(result));
  } else {
    const bytes = asBytes(result);
    if (bytes === undefined) return respondWithObject(call, result);
    finish(call, 200, BYTES, bytes);
  }
}

/** Whether a result is an ordinary object or array, as most are: it is sent as JSON, and nothing else has to be asked of it. */
function isPlainData(result: object): boolean {
  try {
    const prototype: unknown = Object.getPrototypeOf(result);
    if (prototype !== Object.prototype && prototype !== Array.prototype) return false;
    const { [Symbol.toStringTag]: tag, [Symbol.asyncIterator]: iterator, status } = result as Tagged;
    if (tag !== undefined || iterator !== undefined) return false;
    return typeof status !== 'number' || !isResponse(result);
  } catch {
    return false;
  }
}

async function respondWithObject(call: RunningCall, result: object): Promise<void> {
  if (isResponse(result)) return respondWith(call, result);
  switch (peek(result, Symbol.toStringTag)) {
    // Sent with their own type, as `fetch` sends them as a body.
    case 'Blob':
    case 'File':
    case 'FormData':
    case 'URLSearchParams':
      return respondWith(call, new Response(await nativeBody(result)));
    case 'ReadableStream':
      return stream(call, new ResponseStream(call, fromReadable(result as ReadableStream), toChunk));
  }
  if (isStream(result)) {
    const sending = new ResponseStream(call, fromIterable(result), toChunk);
    return stream(call, sending, undefined, outputOf(result));
  }
  finish(call, 200, JSON_HEADERS, toJson(result));
}

/**
 * Sends a body in one frame if it is complete with its first chunk, else as a stream. The head of a body without a chunk yet is
 * sent ahead, because a client of server-sent events waits for it.
 */
async function respondWith(call: RunningCall, response: Response): Promise<void> {
  const headers = responseHeaders(response);
  const { status, body } = response;
  if (body === null) {
    finish(call, status, headers, undefined);
    return;
  }
  const events = eventsOf(response);
  if (events !== undefined) {
    const sending = new ResponseStream(call, events, (item) => [headers, item as string]);
    sending.open(status, headers);
    return stream(call, sending);
  }
  const source = bodySource(body);
  if (source === undefined) {
    finish(call, status, headers, new Uint8Array(await response.arrayBuffer()));
    return;
  }
  const first = source.next() as Promise<IteratorResult<unknown>>;
  const head = await thisTurn(first);
  if (head?.done === true) {
    finish(call, status, headers, '');
    return;
  }
  const reads = [first];
  if (head !== undefined) {
    const second = source.next() as Promise<IteratorResult<unknown>>;
    // `new Response('text')` closes right behind its only chunk; a real stream is not made to wait for its second.
    // If that fails, the first is still sent.
    const next = await thisTurn(second.catch(() => undefined));
    if (next?.done === true) {
      finish(call, status, headers, toBodyChunk(head.value));
      return;
    }
    reads.push(second);
  }
  const sending = new ResponseStream(call, source, (item) => [headers, toBodyChunk(item)]);
  sending.open(status, headers);
  await stream(call, sending, reads);
}

/** The body of a foreign `Response`, which may be a Node stream; undefined if it has none or does not expose it. */
function bodySource(body: object | undefined): BodySource | undefined {
  if (body === undefined) return undefined;
  if ('getReader' in body) return fromReadable(body as ReadableStream);
  return isStream(body) ? fromIterable(body) : undefined;
}

async function stream(
  call: RunningCall,
  sending: ResponseStream,
  reads?: readonly Promise<IteratorResult<unknown>>[],
  output?: Schema,
): Promise<void> {
  await sending.run(reads);
  if (sending.isOpen) call.inbound.end();
  else finish(call, 200, await typeOfEmpty(output), '');
}

/** The content type of a stream that ended without a value, according to its schema. */
async function typeOfEmpty(output: Schema | undefined): Promise<FlatHeaders> {
  if (output === undefined) return TEXT;
  const kinds = resultKinds(await toJsonSchema(output, 'output').catch(() => ({})));
  if (kinds.has('text')) return TEXT;
  return kinds.has('json') || kinds.has('nothing') ? JSON_LINES : BYTES;
}

/** Text and bytes as they are, any other value as a line of JSON. */
function toChunk(item: unknown): readonly [FlatHeaders, Chunk] {
  if (typeof item === 'string') return [TEXT, item];
  const bytes = typeof item === 'object' && item !== null ? asBytes(item) : undefined;
  return bytes === undefined ? [JSON_LINES, `${toJson(item)}\n`] : [BYTES, bytes];
}

/** @throws TypeError if it is neither text nor bytes */
function toBodyChunk(item: unknown): Chunk {
  if (typeof item === 'string') return item;
  const bytes = typeof item === 'object' && item !== null ? asBytes(item) : undefined;
  if (bytes === undefined) throw new TypeError('the body of a Response must consist of text or bytes');
  return bytes;
}

function finish(call: RunningCall, status: number, headers: FlatHeaders, body: Chunk | undefined): void {
  const envelope = packResponse(status, headers, body);
  if (typeof body === 'string' || body === undefined || call.inbound.isByReference) {
    const bytes = headers.length + (body?.length ?? 0);
    call.inbound.result(envelope, { marks: undefined, transfer: undefined, bytes });
    return;
  }
  const capture = new Capture();
  call.inbound.result(capture.take(envelope, 'response', RESULT), {
    marks: undefined,
    transfer: capture.transfer,
    bytes: capture.bytes,
  });
}

function asBytes(value: object): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (types.isArrayBuffer(value)) return new Uint8Array(value);
  // Copied, because sockets cannot write shared memory.
  if (types.isSharedArrayBuffer(value)) return new Uint8Array(value).slice();
  return undefined;
}

/** The result of a promise that settles within this turn of the event loop; undefined if it takes longer. */
function thisTurn<T>(promise: Promise<T>): Promise<T | undefined> {
  return Promise.race([promise, new Promise<undefined>((resolve) => setImmediate(resolve, undefined))]);
}
