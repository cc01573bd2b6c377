import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HostContext, HostExchange } from './exchange.ts';

/** What of Koa's context is needed here, so that nobody has to install Koa's types. */
export interface KoaContext extends HostContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly originalUrl: string;
  readonly request: object;
  readonly app?: object;
  respond?: boolean | undefined;
}

/** What answers with what middleware has made of a context; not in Koa's types. */
type HandleRequest = (context: KoaContext, middleware: () => Promise<unknown>) => Promise<unknown>;

export type KoaNext = () => Promise<unknown>;

/**
 * The response of a context while an app may answer it. Koa looks at `respond` once its middleware is through; where
 * middleware in front has not awaited `next()` that is before the app has spoken, and Koa does not look again.
 */
class HeldResponse {
  readonly #context: KoaContext;
  readonly #given: boolean | undefined;
  #isAsked = false;

  constructor(context: KoaContext) {
    this.#context = context;
    this.#given = context.respond;
    Object.defineProperty(context, 'respond', {
      configurable: true,
      enumerable: true,
      get: () => {
        this.#isAsked = true;
        return false;
      },
      set: (value: boolean | undefined) => this.#define(value),
    });
  }

  /** Koa may answer again. */
  release(): void {
    this.#define(this.#given);
  }

  /** Has Koa answer if it has asked already: with what is there now, as it would have done then. */
  answerIfAsked(): void {
    const context = this.#context;
    if (!this.#isAsked) return;
    const { app = {}, res } = context;
    const { statusCode } = res;
    const handleRequest = Reflect.get(app, 'handleRequest') as HandleRequest;
    void handleRequest.call(app, context, () => {
      // Koa has begun anew.
      res.statusCode = statusCode;
      return Promise.resolve();
    });
  }

  #define(value: boolean | undefined): void {
    Object.defineProperty(this.#context, 'respond', {
      value,
      configurable: true,
      enumerable: true,
      writable: true,
    });
  }
}

/**
 * As Koa hands an exchange over. The promise ends with the exchange, so that middleware in front measures all of it; it
 * rejects where others would be called with an error.
 *
 * @param mayLeave whether the response may become others' again
 */
export function fromKoa(
  context: KoaContext,
  next: KoaNext,
  handle: (exchange: HostExchange) => void,
  mayLeave: boolean,
): Promise<void> {
  const { req, res, request, originalUrl } = context;
  const held = mayLeave ? new HeldResponse(context) : undefined;
  // Koa answers 404 as soon as its middleware is through, unless it is told that somebody else answers.
  if (held === undefined) context.respond = false;
  return new Promise((resolve, reject) => {
    handle({
      req,
      res,
      url: req.url ?? '/',
      originalUrl,
      context,
      // By convention of its parsers.
      body: Reflect.get(request, 'body'),
      next(error) {
        held?.release();
        if (error === undefined) next().then(() => resolve(), reject);
        else reject(error);
        held?.answerIfAsked();
      },
      settled: resolve,
    });
  });
}
