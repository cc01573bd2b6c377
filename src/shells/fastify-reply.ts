import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { HttpResponse } from '../adapters/exchange.ts';
import { cut } from '../adapters/response/early-response.ts';

/** A body that is written to at one end and read by Fastify at the other. */
class ReplyBody extends Readable {
  readonly #onRead: () => void;
  readonly #onTaken: () => void;

  /**
   * @param onRead there is room for more
   * @param onTaken nothing of what was written waits any more
   */
  constructor(onRead: () => void, onTaken: () => void) {
    super();
    this.#onRead = onRead;
    this.#onTaken = onTaken;
  }

  override _read(): void {
    this.#onRead();
  }

  /** Not `_read` tells that the last chunk was taken: it asks for the next one before that, and once. */
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    if (chunk !== null && this.readableLength === 0) this.#onTaken();
    return chunk;
  }
}

/**
 * A response that goes out through Fastify's `reply`, so that its `onSend` hooks see it: they compress, set cookies, save
 * sessions. Whole answers are sent as they are, others as a stream.
 */
export class ReplyResponse implements HttpResponse {
  readonly #reply: FastifyReply;
  #body: ReplyBody | undefined = undefined;
  #isSent = false;
  #isEnded = false;
  /** What `content-length` said when the body began. */
  #length: number | undefined = undefined;
  #written = 0;
  #flushes = false;
  #isPiped = false;
  #cuts = false;
  #onDrain: (() => void) | undefined = undefined;
  strictContentLength = false;

  constructor(reply: FastifyReply) {
    this.#reply = reply;
  }

  get statusCode() {
    return this.#reply.statusCode;
  }

  set statusCode(status: number) {
    this.#reply.code(status);
  }

  get req() {
    return this.#reply.raw.req;
  }

  get socket() {
    return this.#reply.raw.socket;
  }

  get destroyed() {
    return this.#reply.raw.destroyed;
  }

  get headersSent() {
    return this.#isSent || this.#reply.raw.headersSent;
  }

  get writableEnded() {
    return this.#isEnded || this.#reply.raw.writableEnded;
  }

  get shouldKeepAlive() {
    return this.#reply.raw.shouldKeepAlive;
  }

  getHeader(name: string) {
    return this.#reply.getHeader(name) as number | string | string[] | undefined;
  }

  getHeaderNames() {
    return Object.keys(this.#reply.getHeaders());
  }

  hasHeader(name: string) {
    return this.#reply.hasHeader(name);
  }

  setHeader(name: string, value: number | string | readonly string[]) {
    // Fastify adds cookies up; this is to replace them.
    if (name === 'set-cookie') this.#reply.removeHeader(name);
    // Fastify keeps headers in an object; this one would be its prototype.
    if (name === '__proto__') this.#reply.raw.setHeader(name, value);
    else this.#reply.header(name, value);
  }

  appendHeader(name: string, value: string) {
    const before = this.getHeader(name);
    if (before === undefined) this.setHeader(name, value);
    else if (name === 'set-cookie') this.setHeader(name, [before, value].flat().map(String));
    else this.setHeader(name, `${before}, ${value}`);
  }

  removeHeader(name: string) {
    this.#reply.removeHeader(name);
  }

  flushHeaders() {
    this.#flushes = true;
    this.#begin();
    this.#flush();
  }

  write(chunk: string | Uint8Array) {
    const body = this.#begin();
    this.#written += Buffer.byteLength(chunk);
    if (this.#length !== undefined && this.#written > this.#length) throw mismatch(this.#length);
    return body.push(chunk);
  }

  end(chunk?: string | Uint8Array) {
    if (this.#body === undefined) {
      this.#isSent = true;
      this.#isEnded = true;
      this.#sendWhole(chunk);
      return;
    }
    if (chunk !== undefined) this.write(chunk);
    if (this.#length !== undefined && this.#written < this.#length) throw mismatch(this.#length);
    this.#isEnded = true;
    this.#body.push(null);
  }

  destroy() {
    this.#reply.raw.destroy();
  }

  cut() {
    const { raw } = this.#reply;
    const isWaiting = this.#body !== undefined && this.#body.readableLength > 0;
    if (isWaiting && raw.socket?.writableNeedDrain === false) this.#cuts = true;
    else cut(raw);
  }

  on(event: 'close' | 'drain', listener: () => void) {
    if (event === 'close') this.#reply.raw.on(event, listener);
    else this.#onDrain = listener;
  }

  once(event: 'close' | 'drain', listener: () => void) {
    if (event === 'close') this.#reply.raw.once(event, listener);
    else this.#onDrain = listener;
  }

  off(event: 'close' | 'drain', listener: () => void) {
    if (event === 'close') this.#reply.raw.off(event, listener);
    else this.#onDrain = undefined;
  }

  #sendWhole(body: string | Uint8Array | undefined): void {
    const type = body === undefined ? '' : this.getHeader('content-type');
    // Fastify names a type where there is none, and a charset for JSON: not for streams, and not for bytes.
    if (type === undefined) this.#reply.send(Readable.from([body]));
    else if (typeof body !== 'string' || String(type).includes('charset=')) this.#reply.send(body);
    else this.#reply.send(Buffer.from(body));
  }

  #begin(): ReplyBody {
    if (this.#body !== undefined) return this.#body;
    const length = this.strictContentLength ? this.getHeader('content-length') : undefined;
    this.#length = length === undefined ? undefined : Number(length);
    this.#body = new ReplyBody(this.#onRead, this.#onTaken);
    this.#isSent = true;
    this.#reply.raw.once('pipe', this.#onPiped);
    this.#reply.send(this.#body);
    return this.#body;
  }

  /** Fastify is through with its hooks, and has set the headers. */
  readonly #onPiped = (): void => {
    this.#isPiped = true;
    this.#flush();
  };

  #flush(): void {
    const { raw } = this.#reply;
    if (this.#flushes && this.#isPiped && !raw.headersSent && !raw.destroyed) raw.flushHeaders();
  }

  /** More of the body is asked for; by the stream itself, too, while hooks still run. */
  readonly #onRead = (): void => {
    if (!this.#cuts) this.#onDrain?.();
  };

  readonly #onTaken = (): void => {
    if (this.#cuts) cut(this.#reply.raw);
  };
}

/** As Node refuses it; one that a stream met later would be nobody's to catch. */
function mismatch(length: number): Error {
  return Object.assign(new Error(`the body is not ${length} bytes long, as its content-length says`), {
    code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
  });
}
