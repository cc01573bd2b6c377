import { Call } from '../handle/call.ts';
import type { Route } from '../handle/route.ts';
import { HTTP_METHOD_NAME } from '../pool/caller-channel.ts';
import { CANCEL_CODE } from '../pool/frames.ts';
import { CreditCounter } from '../pool/stream-window.ts';
import { type FlatHeaders, type ResponseEnvelope, unflatten } from '../replica/ingress/envelope.ts';
import type { HttpResponse } from './exchange.ts';

/** What becomes of a request beyond its response. */
export interface HttpOutcome {
  /** The exchange is over; this error is to be answered with. */
  failed(error: unknown): void;
  /** The app answered 404 and the next handler was asked: the exchange is over. False if it is not asked. */
  passes(): boolean;
  /** The call went to a replica, which may be sent the body now. */
  sent(): void;
  /** The replica asks for (more of) the request body. */
  credited(chunks: number): void;
  /** The exchange is over: the response is written. */
  done(): void;
}

/**
 * A call whose caller is an HTTP client: the replica's answer goes to the socket as it comes, no faster than the client
 * reads it.
 */
export class HttpCall extends Call {
  readonly #res: HttpResponse;
  readonly #isHead: boolean;
  readonly #outcome: HttpOutcome;
  readonly #credit = new CreditCounter();
  #isBlocked = false;
  /** Chunks that were written while the socket was full; credited when it drains. */
  #owed: number[] = [];
  /** Everything was answered; what the replica still sends is of no interest. */
  #isAnswered = false;

  constructor(route: Route, res: HttpResponse, isHead: boolean, outcome: HttpOutcome) {
    super(route, HTTP_METHOD_NAME);
    this.#res = res;
    this.#isHead = isHead;
    this.#outcome = outcome;
  }

  /** Ends the call with an error of this side. */
  giveUp(error: unknown): void {
    this.abandon('error', error, CANCEL_CODE.cancelled);
  }

  protected override onResult(value: unknown): void {
    const [status, headers, body] = value as ResponseEnvelope;
    if (status === 404 && this.#outcome.passes()) return;
    const res = this.#res;
    try {
      writeHead(res, status, headers);
      if (body !== undefined && !hasNoBody(status)) {
        res.setHeader('content-length', Buffer.byteLength(body));
        res.end(body);
      } else {
        if (status === 204) res.removeHeader('content-length');
        // HEAD and 304 may tell the length of what they leave out.
        else if (status !== 304 && !this.#isHead) res.setHeader('content-length', 0);
        res.end();
      }
    } catch (error) {
      // Such as a response that somebody else has begun.
      this.#outcome.failed(error);
      return;
    }
    this.#outcome.done();
  }

  protected override onError(error: unknown): void {
    if (!this.#isAnswered) this.#outcome.failed(error);
  }

  protected override onOpen(head: unknown): void {
    const [status, headers] = head as ResponseEnvelope;
    if (status === 404 && this.#outcome.passes()) {
      this.#finishEarly();
      return;
    }
    const res = this.#res;
    try {
      writeHead(res, status, headers);
      // A length that is not kept would shift every later answer on the connection.
      if (res.hasHeader('content-length')) res.strictContentLength = true;
      if (this.#isHead || hasNoBody(status)) {
        res.end();
        this.#outcome.done();
        this.#finishEarly();
        return;
      }
      res.on('drain', this.#onDrain);
      queueMicrotask(this.#flushHead);
    } catch (error) {
      this.giveUp(error);
    }
  }

  protected override onChunk(value: unknown, bytes: number): void {
    const res = this.#res;
    if (res.destroyed) return;
    try {
      if (!res.write(value as string | Uint8Array)) this.#isBlocked = true;
    } catch (error) {
      this.giveUp(error);
      return;
    }
    flush(res);
    if (this.#isBlocked) this.#owed.push(bytes);
    else this.#consumed(bytes);
  }

  protected override onEnd(): void {
    try {
      this.#res.end();
    } catch (error) {
      this.#outcome.failed(error);
      return;
    }
    this.#outcome.done();
  }

  override onSent(): void {
    this.#outcome.sent();
  }

  protected override onCredit(chunks: number): void {
    this.#outcome.credited(chunks);
  }

  readonly #onDrain = (): void => {
    this.#isBlocked = false;
    for (const bytes of this.#owed.splice(0)) this.#consumed(bytes);
  };

  /** The first chunk mostly came in the same message, and took the head with it. */
  readonly #flushHead = (): void => {
    const res = this.#res;
    if (res.headersSent || res.writableEnded || res.destroyed) return;
    res.flushHeaders();
    flush(res);
  };

  #consumed(bytes: number): void {
    const chunks = this.#credit.consumed(bytes);
    if (chunks > 0) this.endpoint?.channel.credit(this, chunks);
  }

  /** The rest of the stream is not wanted, and nothing went wrong. */
  #finishEarly(): void {
    this.#isAnswered = true;
    this.abandon('ok', undefined, CANCEL_CODE.cancelled);
  }
}

/** Compression middleware holds bytes back until it is told. */
function flush(res: HttpResponse): void {
  const hook: unknown = Reflect.get(res, 'flush');
  if (typeof hook === 'function') hook.call(res);
}

function hasNoBody(status: number): boolean {
  return status === 204 || status === 304;
}

/** Sets status and headers. What the host has set stays where both may speak: cookies and `vary`. */
function writeHead(res: HttpResponse, status: number, headers: FlatHeaders): void {
  res.statusCode = status;
  // Of a body that somebody else had in mind; Koa sets it with `ctx.body`.
  res.removeHeader('content-length');
  const pairs = unflatten(headers);
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const name = pairs[index] as string;
    const value = pairs[index + 1] as string;
    if (name === 'set-cookie' || name === 'vary') res.appendHeader(name, value);
    else if (name !== 'x-request-id') res.setHeader(name, value);
  }
}
