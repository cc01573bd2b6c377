import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export type Next = (error?: unknown) => void;

type ResponseEvent = 'close' | 'drain';

/** The members that the response of an exchange must have; Node's own responses have them. */
export interface HttpResponse {
  statusCode: number;
  /** Whether `write` and `end` throw if the body is not as long as its `content-length`. */
  strictContentLength: boolean;
  readonly req: IncomingMessage;
  readonly socket: Socket | null;
  readonly destroyed: boolean;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  /** Whether the body is chunked; missing in HTTP/2. */
  readonly chunkedEncoding?: boolean;
  /** Whether the connection outlives the response; without effect in HTTP/2. */
  shouldKeepAlive?: boolean;
  /** Missing if the response is a stream of the framework, which then has `cut`. */
  readonly writableCorked?: number;
  uncork?(): void;
  getHeader(name: string): number | string | string[] | undefined;
  getHeaderNames(): string[];
  hasHeader(name: string): boolean;
  setHeader(name: string, value: number | string | readonly string[]): unknown;
  appendHeader(name: string, value: string): unknown;
  removeHeader(name: string): unknown;
  flushHeaders(): void;
  write(chunk: string | Uint8Array): boolean;
  end(chunk?: string | Uint8Array): unknown;
  destroy(): unknown;
  on(event: ResponseEvent, listener: () => void): unknown;
  once(event: ResponseEvent, listener: () => void): unknown;
  off(event: ResponseEvent, listener: () => void): unknown;
  /** Breaks the response off after the bytes that were written. Only for responses where Node's way does not work. */
  cut?(): void;
}

/** The host's view of a request, which Express' and middie's `req`, Koa's `ctx` and Fastify's `request` have. */
export interface HostContext {
  readonly protocol?: string;
  readonly host?: string;
  readonly hostname?: string;
  /** The app of Express, which has a router of its own making in version 4 only. */
  readonly app?: { readonly lazyrouter?: unknown };
  readonly ip?: string;
  readonly params?: unknown;
}

/** An HTTP exchange as a framework hands it over. */
export interface HostExchange {
  readonly req: IncomingMessage;
  readonly res: HttpResponse;
  /** The request's target without the path of the mount. */
  readonly url: string;
  /** The request's target as the client sent it. */
  readonly originalUrl: string;
  /** The object that the framework gives to its own handlers. */
  readonly context: HostContext;
  /** The result of a body parser: a value, a stream to read instead of the request, or undefined. */
  readonly body: unknown;
  /** Calls the next handler; undefined if there is none. */
  readonly next: Next | undefined;
  /** Called when the exchange has ended without the next handler. */
  readonly settled: (() => void) | undefined;
}

/** Makes an exchange from the arguments that Node, Express and middie pass. */
export function fromNode(
  req: IncomingMessage & HostContext & { readonly body?: unknown; readonly originalUrl?: string },
  res: ServerResponse,
  next: Next | undefined,
): HostExchange {
  const { url = '/', originalUrl = url, body } = req;
  return { req, res, url, originalUrl, context: req, body, next, settled: undefined };
}
