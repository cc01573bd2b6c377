import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { HttpResponse } from '../adapters/exchange.ts';
import { cut } from '../adapters/response/early-response.ts';

/** The body of a response: the app writes to it, and Fastify reads it. */
class ReplyBody extends Readable {
  readonly #onRead: () => void;
  readonly #onTaken: () => void;

  /**
   * @param onRead called when there is room for more
   * @param onTaken called when all written chunks were read
   */
  constructor(onRead: () => void, onTaken: () => void) {
    super();
    this.#onRead = onRead;
    this.#onTaken = onTaken;
  }

  override _read(): void {
    this.#onRead();
  }

  /** Reports that the last chunk was read. `_read` cannot report that: it asks once for the next chunk, before that moment. */
  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    if (chunk !== null && this.readableLength === 0) this.#onTaken();
    return chunk;
  }
}

/**
 * A response that is sent through Fastify's `reply`, so that its `onSend` hooks see it: they compress, set cookies, save
 * sessions. Whole answers are sent directly, others as a stream.
 */
export class ReplyResponse implements HttpResponse {
  readonly #reply: FastifyReply;
  #body: ReplyBody | undefined = undefined;
  #isSent = false;
  #isEnded = false;
  /** The `content-length` at the start of the body. */
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

  set shouldKeepAlive(keeps: boolean) {
    this.#reply.raw.shouldKeepAlive = keeps;
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
    // Fastify appends cookies, and this call must replace them.
    if (name === 'set-cookie') this.#reply.removeHeader(name);
    // Fastify keeps headers in an object, whose prototype this one would become.
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
    // Fastify adds a missing type, and a charset for JSON; it does so neither for streams nor for bytes.
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

  /** Called when Fastify has run its hooks and set the headers. */
  readonly #onPiped = (): void => {
    this.#isPiped = true;
    this.#flush();
  };

  #flush(): void {
    const { raw } = this.#reply;
    if (this.#flushes && this.#isPiped && !raw.headersSent && !raw.destroyed) raw.flushHeaders();
  }

  /** Called when more of the body is requested, also by the stream itself while hooks are still running. */
  readonly #onRead = (): void => {
    if (!this.#cuts) this.#onDrain?.();
  };

  readonly #onTaken = (): void => {
    if (this.#cuts) cut(this.#reply.raw);
  };
}

/** Makes Node's own error for a body of the wrong length. It is thrown at once, because an error of the stream is not caught. */
function mismatch(length: number): Error {
  return Object.assign(new Error(`the body is not ${length} bytes long, as its content-length says`), {
    code: 'ERR_HTTP_CONTENT_LENGTH_MISMATCH',
  });
}
