import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export type Next = (error?: unknown) => void;

type ResponseEvent = 'close' | 'drain';

/** What the response of an exchange must be able to do; Node's own can. */
export interface HttpResponse {
  statusCode: number;
  /** Throw when a body is not as long as its `content-length` says. */
  strictContentLength: boolean;
  readonly req: IncomingMessage;
  readonly socket: Socket | null;
  readonly destroyed: boolean;
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  /** Whether the body is chunked; missing in HTTP/2. */
  readonly chunkedEncoding?: boolean;
  /** Whether the connection outlives the response; missing in HTTP/2. */
  readonly shouldKeepAlive?: boolean;
  /** Missing where the response is somebody's stream: `cut` is there then. */
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
  /** Breaks the response off behind what was written; where that takes more than Node's own needs. */
  cut?(): void;
}

/** What the host knows of a request: Express' and middie's `req`, Koa's `ctx` and Fastify's `request` have this. */
export interface HostContext {
  readonly protocol?: string;
  readonly host?: string;
  readonly hostname?: string;
  readonly ip?: string;
  readonly params?: unknown;
}

/** An HTTP exchange as a framework hands it over. */
export interface HostExchange {
  readonly req: IncomingMessage;
  readonly res: HttpResponse;
  /** The request's target, without what the framework was mounted under. */
  readonly url: string;
  /** The request's target as the client sent it. */
  readonly originalUrl: string;
  /** What the framework's own handlers are given. */
  readonly context: HostContext;
  /** What a body parser has left: a value, a stream to be read in place of the request's, or undefined. */
  readonly body: unknown;
  /** Asks whoever comes behind; undefined: nobody does. */
  readonly next: Next | undefined;
  /** Called when the exchange has ended here. */
  readonly settled: (() => void) | undefined;
}

/** As Node, Express and middie hand it over. */
export function fromNode(
  req: IncomingMessage & HostContext & { readonly body?: unknown; readonly originalUrl?: string },
  res: ServerResponse,
  next: Next | undefined,
): HostExchange {
  const { url = '/', originalUrl = url, body } = req;
  return { req, res, url, originalUrl, context: req, body, next, settled: undefined };
}
