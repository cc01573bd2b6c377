import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Route } from '../handle/route.ts';
import type { Logger } from '../observe/logger.ts';
import type { CallMeta } from '../pool/frames.ts';
import type { FlatHeaders, RequestEnvelope } from '../replica/ingress/envelope.ts';
import { describeCall } from './describe-call.ts';
import { HttpCall, type HttpOutcome } from './http-call.ts';
import { cut, endWithoutRequest } from './linger.ts';
import type { ResolvedMiddlewareOptions } from './options.ts';
import { parsedBody } from './parsed-body.ts';
import { prepareProblem, sendProblem, toFrameworkError, toProblem } from './problem.ts';
import { absoluteUrl, givenRequestId, givenTimeout, requestHeaders } from './request-head.ts';
import { BodyUpload, declaredLength, isSmall, SmallBody, tooLarge, type Upload } from './upload.ts';

/** Where requests go: the ingress of an app. */
export interface HttpTarget {
  /** The route to the ingress deployment. */
  readonly route: Route;
  readonly log: Logger;
  /** Leading part of the path that the ingress does not see. */
  readonly prefix: string;
  /** A unique id for a request that brings none. */
  nextRequestId(): string;
}

export type Next = (error?: unknown) => void;

/**
 * One HTTP exchange with an app, whatever framework it came through. The framework's part is `next`: undefined means that
 * nobody comes after.
 */
export function handleHttp(
  req: IncomingMessage,
  res: ServerResponse,
  next: Next | undefined,
  target: HttpTarget,
  options: ResolvedMiddlewareOptions,
): void {
  new Exchange(req, res, next, target, options).start();
}

class Exchange implements HttpOutcome {
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #next: Next | undefined;
  readonly #target: HttpTarget;
  readonly #options: ResolvedMiddlewareOptions;
  readonly #requestId: string;
  readonly #call: HttpCall;
  #upload: Upload | undefined = undefined;
  /** Where a body goes that is streamed along with the call. */
  #stream: BodyUpload | undefined = undefined;
  #isLazy = false;
  /** Whose end is listened for in place of the response's. */
  #socket: Socket | undefined = undefined;
  #isDone = false;

  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    next: Next | undefined,
    target: HttpTarget,
    options: ResolvedMiddlewareOptions,
  ) {
    this.#req = req;
    this.#res = res;
    this.#next = next === undefined ? undefined : inThisContext(next, options);
    this.#target = target;
    this.#options = options;
    this.#requestId = givenRequestId(req) ?? target.nextRequestId();
    this.#call = new HttpCall(target.route, res, req.method === 'HEAD', this);
  }

  /** The call begins before its body is read: deadline, cancellation and count are those of the whole exchange. */
  start(): void {
    const call = this.#call;
    this.#target.route.begin(call, this.#deadline());
    try {
      this.#watchClient();
      if (call.isSettled) return;
      this.#res.setHeader('x-request-id', this.#requestId);
      // Now, for hooks may look at the async context of the host's handler.
      describeCall(this.#call, this.#req, this.#requestId, this.#options);
      this.#takeBody(absoluteUrl(this.#req, this.#target.prefix));
    } catch (error) {
      call.reject(error);
    }
  }

  #takeBody(url: string): void {
    const req = this.#req;
    const { bodyLimit, passthrough } = this.#options;
    const length = declaredLength(req);
    const parsed = length === 0 ? undefined : parsedBody(req);
    if (length !== undefined && length > bodyLimit && parsed === undefined) throw tooLarge(bodyLimit);
    // Nothing is read before the app asks for it where another handler may have to.
    this.#isLazy = passthrough && this.#next !== undefined;
    if (parsed !== undefined) {
      this.#dispatch(url, parsed.headers, parsed.body);
    } else if (length === 0) {
      this.#dispatch(url, requestHeaders(req), undefined);
    } else if (!this.#isLazy && isSmall(length)) {
      this.#upload = new SmallBody(req, (body) => this.#dispatch(url, requestHeaders(req), body));
    } else {
      this.#stream = new BodyUpload(req, this.#call, bodyLimit);
      this.#upload = this.#stream;
      (this.#call.meta as CallMeta).upload = this.#isLazy ? 'lazy' : 'eager';
      this.#dispatch(url, requestHeaders(req), undefined);
    }
  }

  #dispatch(url: string, headers: FlatHeaders, body: Uint8Array | string | undefined): void {
    const call = this.#call;
    const envelope: RequestEnvelope = [this.#req.method ?? 'GET', url, headers, body];
    call.args = [envelope];
    call.bytes = url.length + headers.length + (body?.length ?? 0) + 64;
    this.#target.route.dispatch(call);
  }

  sent(): void {
    if (!this.#isLazy) this.#stream?.start();
  }

  credited(chunks: number): void {
    this.#stream?.credited(chunks);
  }

  #deadline(): number {
    let limit = this.#target.route.config.requestTimeoutMs || Infinity;
    limit = Math.min(limit, this.#options.requestTimeoutMs || Infinity);
    limit = Math.min(limit, givenTimeout(this.#req) ?? Infinity);
    return limit === Infinity ? 0 : this.#call.createdAt + limit;
  }

  /** The response closes when the client leaves, or when somebody else has answered: in every framework, unlike `req`. */
  #watchClient(): void {
    const res = this.#res;
    if (res.destroyed || res.writableEnded) {
      this.#onClose();
      return;
    }
    res.on('close', this.#onClose);
    // Pipelined behind another response: this one has no socket yet whose end it would hear of (Node 22).
    if (res.socket === null) {
      this.#socket = this.#req.socket;
      this.#socket.on('close', this.#onClose);
    }
  }

  readonly #onClose = (): void => {
    this.#call.cancel(
      new Error(this.#res.writableEnded ? 'somebody else answered' : 'the client disconnected'),
    );
  };

  passes(): boolean {
    const isUntouched = this.#stream?.isUntouched ?? true;
    const next = this.#next;
    if (!this.#options.passthrough || next === undefined || !isUntouched) return false;
    this.#res.removeHeader('x-request-id');
    this.done();
    next();
    return true;
  }

  failed(error: unknown): void {
    const res = this.#res;
    const next = this.#next;
    if (this.#isDone) return;
    this.done();
    const about = { requestId: this.#requestId, method: this.#req.method, url: this.#req.url, err: error };
    if (res.destroyed || res.writableEnded) {
      this.#target.log.debug({ ...about, statusCode: 499 }, 'the client left before its answer');
      return;
    }
    const problem = toProblem(error);
    if (problem.isUnexpected) this.#target.log.error(about, 'request failed');
    if (res.headersSent) {
      cut(res);
    } else if (this.#options.onError === 'next' && next !== undefined) {
      next(toFrameworkError(error, problem));
    } else if (this.#isEndless()) {
      prepareProblem(res, problem, this.#requestId, (body) => endWithoutRequest(this.#req, res, body));
    } else {
      sendProblem(res, problem, this.#requestId);
    }
  }

  done(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#res.off('close', this.#onClose);
    this.#socket?.off('close', this.#onClose);
    this.#upload?.stop();
  }

  /** Whether more of the request may come than is worth reading to keep the connection. */
  #isEndless(): boolean {
    const { complete } = this.#req;
    const length = declaredLength(this.#req);
    return !complete && (length === undefined || length > this.#options.bodyLimit);
  }
}

/**
 * `next` is called when the answer arrives: in the channel's async context, not in that of the request, and in the midst
 * of other calls' answers, which a handler that throws must not take along.
 */
function inThisContext(next: Next, { onError, passthrough }: ResolvedMiddlewareOptions): Next {
  if (onError !== 'next' && !passthrough) return next;
  const run = AsyncLocalStorage.snapshot();
  return (error) => queueMicrotask(() => run(next, ...(error === undefined ? [] : [error])));
}
