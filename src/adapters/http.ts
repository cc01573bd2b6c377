import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { CallMeta } from '../channel/frames.ts';
import { type FlatHeaders, packRequest } from '../channel/http-envelope.ts';
import { ServeError } from '../errors.ts';
import type { Route } from '../handle/routing/route.ts';
import type { IngressCounts } from '../observe/http-counts.ts';
import type { Logger } from '../observe/logger.ts';
import { now } from '../time/clock.ts';
import type { HostExchange, HttpResponse, Next } from './exchange.ts';
import { HttpCall, type HttpOutcome } from './http-call.ts';
import type { ResolvedMiddlewareOptions } from './middleware-options.ts';
import { deadlineOf, describeCall, routeLabel } from './request/describe-call.ts';
import { decodedHeaders, parsedBody } from './request/parsed-body.ts';
import { type ParsedForm, parsedForm } from './request/parsed-form.ts';
import { absoluteUrl, givenRequestId, refusedMethod, requestHeaders } from './request/request-head.ts';
import type { RouteLabels } from './request/route-labels.ts';
import { BodyUpload, declaredLength, isSmall, SmallBody, tooLarge, type Upload } from './request/upload.ts';
import { cut, endWithoutRequest } from './response/early-response.ts';
import { prepareProblem, sendProblem, toFrameworkError, toProblem } from './response/problem.ts';
import { offSocketClose, onSocketClose } from './response/socket-close.ts';

/** The ingress of an app, as the target of requests. */
export interface HttpTarget {
  /** The route to the ingress deployment. */
  readonly route: Route;
  readonly log: Logger;
  readonly counts: IngressCounts;
  /** The labels of the paths at which the app is mounted. */
  readonly routes: RouteLabels;
  /** The leading part of the path, which the ingress does not see. */
  readonly prefix: string;
  /** Makes a unique id for a request that has none. */
  nextRequestId(): string;
  /** Whether the instance is shutting down, so that clients connect elsewhere. */
  isLeaving(): boolean;
  /** Whether a WebSocket that arrived as a plain request should have arrived as an upgrade. */
  missedUpgrade(exchange: HostExchange): boolean;
}

/** Handles one HTTP exchange with an app, whatever the framework. */
export function handleHttp(host: HostExchange, target: HttpTarget, options: ResolvedMiddlewareOptions): void {
  new Exchange(host, target, options).start();
}

class Exchange implements HttpOutcome {
  readonly res: HttpResponse;
  readonly requestId: string;
  readonly #host: HostExchange;
  readonly #req: IncomingMessage;
  readonly #next: Next | undefined;
  readonly #target: HttpTarget;
  readonly #options: ResolvedMiddlewareOptions;
  readonly #call: HttpCall;
  #upload: Upload | undefined = undefined;
  /** The upload of a body that is streamed after the call was sent. */
  #stream: BodyUpload | undefined = undefined;
  /** Whether a request that the app answers with 404 is handed to the next handler. */
  readonly #mayPass: boolean;
  /** The socket whose end is awaited instead of that of the response. */
  #socket: Socket | undefined = undefined;
  #isDone = false;

  constructor(host: HostExchange, target: HttpTarget, options: ResolvedMiddlewareOptions) {
    const { req, res, next } = host;
    this.#host = host;
    this.#req = req;
    this.res = res;
    this.#next = next === undefined ? undefined : apart(next, options);
    this.#target = target;
    this.#options = options;
    this.#mayPass = options.passthrough && next !== undefined;
    this.requestId = givenRequestId(req) ?? target.nextRequestId();
    this.#call = new HttpCall(target.route, this);
  }

  get isHead(): boolean {
    return this.#req.method === 'HEAD';
  }

  get isAlone(): boolean {
    return this.#next === undefined;
  }

  get isLast(): boolean {
    return this.#target.isLeaving();
  }

  /** Begins the call before its body is read, so that deadline, cancellation and counts cover the whole exchange. */
  start(): void {
    const call = this.#call;
    const { req, url: given, originalUrl, context } = this.#host;
    const url = absoluteUrl(given, originalUrl, req, context, this.#target.prefix);
    const refused = url instanceof ServeError ? url : refusedMethod(req);
    // A request that no app can be asked with belongs to the next handler.
    if (refused !== undefined && this.#mayPass) {
      this.#next?.();
      return;
    }
    this.#target.route.begin(call, deadlineOf(call, this.#host, this.#options));
    try {
      this.#watchClient();
      if (call.isSettled) return;
      if (url instanceof ServeError || refused !== undefined) throw refused;
      // Synchronously, because hooks may use the async context of the host's handler.
      const { prefix, routes } = this.#target;
      describeCall(this.#call, this.#host, prefix, this.requestId, this.#options, routes);
      // A call that is refused is refused before its body is read.
      if (!this.#target.route.admit(call)) return;
      this.#takeBody(url);
    } catch (error) {
      call.reject(error);
    }
  }

  #takeBody(url: string): void {
    const call = this.#call;
    const { req, body } = this.#host;
    const { bodyLimit } = this.#options;
    if (body instanceof Readable && body !== req) {
      this.#streamBody(body, url, decodedHeaders(req));
      return;
    }
    const length = declaredLength(req);
    const form = length === 0 || body === req ? undefined : parsedForm(req, body, this.#host.context);
    if (form !== undefined) {
      this.#streamForm(form, url);
      return;
    }
    const parsed = length === 0 || body === req ? undefined : parsedBody(req, body);
    // If another handler may get the request, its body is neither read nor refused before the app asks for it.
    const isLazy = this.#mayPass;
    if (!isLazy && length !== undefined && length > bodyLimit && parsed === undefined)
      throw tooLarge(bodyLimit);
    if (parsed !== undefined) this.#dispatch(url, parsed.headers, parsed.body);
    else if (length === 0) this.#dispatch(url, requestHeaders(req), undefined);
    else if (!isLazy && isSmall(length))
      this.#upload = new SmallBody(req, (bytes) => {
        // The time until here does not count as the replica's, because the client may be slow.
        call.ready(now());
        this.#dispatch(url, requestHeaders(req), bytes);
      });
    else this.#streamBody(req, url, requestHeaders(req));
  }

  /** Streams a form that a parser has read. The limit of that parser has already applied. */
  #streamForm({ source, type }: ParsedForm, url: string): void {
    source.on('error', (cause) =>
      this.#call.destroy(new Error('reading a file of the parsed form failed', { cause })),
    );
    const upload = new BodyUpload(source, this.#call, Infinity, true);
    this.#dispatchStream(upload, url, decodedHeaders(this.#req, type));
  }

  /** @param source the request, or a stream that the host has made of it */
  #streamBody(source: Readable, url: string, headers: FlatHeaders): void {
    const call = this.#call;
    if (source !== this.#req) {
      source.on('error', (cause) =>
        call.destroy(new ServeError('SERVE_BAD_REQUEST', 'the request body cannot be read', { cause })),
      );
    }
    this.#dispatchStream(new BodyUpload(source, call, this.#options.bodyLimit), url, headers);
  }

  #dispatchStream(upload: BodyUpload, url: string, headers: FlatHeaders): void {
    const call = this.#call;
    this.#stream = upload;
    this.#upload = upload;
    (call.meta as CallMeta).upload = this.#mayPass ? 'lazy' : 'eager';
    this.#dispatch(url, headers, undefined);
  }

  #dispatch(url: string, headers: FlatHeaders, body: Uint8Array | string | undefined): void {
    const call = this.#call;
    call.args = [packRequest(this.#req.method ?? 'GET', url, headers, body)];
    call.bytes = url.length + headers.length + (body?.length ?? 0) + 64;
    this.#target.route.dispatch(call);
  }

  sent(): void {
    if (!this.#mayPass) this.#stream?.start();
  }

  credited(chunks: number): void {
    this.#stream?.credited(chunks);
  }

  /** In every framework the response, unlike `req`, closes when the client leaves or another handler has answered. */
  #watchClient(): void {
    const res = this.res;
    if (res.destroyed || res.writableEnded) {
      this.#onClose();
      return;
    }
    res.on('close', this.#onClose);
    // A response that is pipelined behind another one has no socket yet, so in Node 22 it would not notice the end.
    if (res.socket === null) {
      this.#socket = this.#req.socket;
      onSocketClose(this.#socket, this.#onClose);
    }
  }

  readonly #onClose = (): void => {
    if (this.#isDone) return;
    this.#call.cancel(
      new Error(this.res.writableEnded ? 'another handler answered the request' : 'the client disconnected'),
    );
  };

  passes(): boolean {
    const isUntouched = this.#stream?.isUntouched ?? true;
    const next = this.#next;
    if (!this.#mayPass || next === undefined || !isUntouched) return false;
    this.#leave();
    next();
    return true;
  }

  failed(error: unknown): void {
    const res = this.res;
    const next = this.#next;
    if (this.#isDone) return;
    this.#leave();
    const err = error ?? `${error} was thrown`;
    const about = { ...this.#about, method: this.#req.method, url: this.#req.url, err };
    if (res.destroyed || res.writableEnded) {
      this.#target.log.debug({ ...about, statusCode: 499 }, 'the client disconnected before the answer');
      // Loggers of the host would take the status that the response began with: 404 in Koa, 200 elsewhere.
      if (!res.headersSent) res.statusCode = 499;
      this.#record(499);
      this.#host.settled?.();
      return;
    }
    if (this.isLast) res.shouldKeepAlive = false;
    const problem = toProblem(error);
    if (problem.isUnexpected) this.#target.log.error(about, 'request failed');
    if (!res.headersSent && this.#options.onError === 'next' && next !== undefined) {
      res.setHeader('x-request-id', this.requestId);
      this.#record(problem.status);
      next(toFrameworkError(error, problem));
      return;
    }
    if (res.headersSent) cut(res);
    else if (this.#isEndless())
      prepareProblem(res, problem, this.requestId, (body) => endWithoutRequest(this.#req, res, body));
    else sendProblem(res, problem, this.requestId);
    this.#record(res.statusCode);
    this.#host.settled?.();
  }

  done(): void {
    if (this.#isDone) return;
    this.#finish();
    this.#record(this.res.statusCode);
    this.#host.settled?.();
  }

  /** Counts the exchange, and logs it if the deployment has an access log. */
  #record(statusCode: number): void {
    const { method } = this.#req;
    this.#target.counts.record(this.#routeLabel, method, statusCode);
    if (!this.#target.route.config.accessLog) return;
    const [path] = this.#host.originalUrl.split('?', 1);
    const durationMs = now() - this.#call.createdAt;
    const about = { ...this.#about, method, path, statusCode, durationMs };
    this.#target.log.info(about, `${method} ${path} ${statusCode} ${durationMs.toFixed(1)} ms`);
  }

  /** The fields of log records about the exchange. */
  get #about(): object {
    const { app, deployment } = this.#target.route;
    const replica = this.#call.endpoint?.replicaId;
    const about = { requestId: this.requestId, route: this.#routeLabel, app, deployment };
    return replica === undefined ? about : { ...about, replica };
  }

  get #routeLabel(): string {
    return this.#call.meta?.route ?? routeLabel(this.#target.prefix, this.#options);
  }

  /** Ends the exchange. Listeners are released with the response; removing them here would cost more. */
  #finish(): void {
    this.#isDone = true;
    if (this.#socket !== undefined) offSocketClose(this.#socket, this.#onClose);
    this.#upload?.close();
  }

  /** Gives the response up to another handler, or to an error answer. */
  #leave(): void {
    this.#finish();
    this.res.off('close', this.#onClose);
  }

  /** Whether the rest of the request may be larger than is worth reading to keep the connection. */
  #isEndless(): boolean {
    const { complete } = this.#req;
    const length = declaredLength(this.#req);
    return !complete && (length === undefined || length > this.#options.bodyLimit);
  }
}

/** Defers `next` to a microtask: it is called while answers of other calls are processed, which a throw must not disturb. */
function apart(next: Next, { onError, passthrough }: ResolvedMiddlewareOptions): Next {
  if (onError !== 'next' && !passthrough) return next;
  return (error) => queueMicrotask(() => (error === undefined ? next() : next(error)));
}
