import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HostContext, HostExchange } from './exchange.ts';

/** The members of Koa's context that are used, so that users need not install Koa's types. */
export interface KoaContext extends HostContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly originalUrl: string;
  readonly request: object;
  readonly app?: object;
  respond?: boolean | undefined;
}

/** Koa's method that runs middleware and answers with its result; it is not in Koa's types. */
type HandleRequest = (context: KoaContext, middleware: () => Promise<unknown>) => Promise<unknown>;

export type KoaNext = () => Promise<unknown>;

/**
 * The response of a context while an app may answer it. Koa reads `respond` once, when its middleware has finished. If
 * middleware in front does not await `next()`, that is before the app has answered.
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

  /** Lets Koa answer again. */
  release(): void {
    this.#define(this.#given);
  }

  /** Makes Koa answer with the current state of the context, if Koa has already read `respond`. */
  answerIfAsked(): void {
    const context = this.#context;
    if (!this.#isAsked) return;
    const { app = {}, res } = context;
    const { statusCode } = res;
    const handleRequest = Reflect.get(app, 'handleRequest') as HandleRequest;
    void handleRequest.call(app, context, () => {
      // `handleRequest` has reset the status.
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
 * Handles an exchange of Koa. The promise settles when the exchange ends, so that middleware in front measures all of it; it
 * rejects with an error that other frameworks would get by `next(error)`.
 *
 * @param mayLeave whether the response may be handed back to Koa
 */
export function fromKoa(
  context: KoaContext,
  next: KoaNext,
  handle: (exchange: HostExchange) => void,
  mayLeave: boolean,
): Promise<void> {
  const { req, res, request, originalUrl } = context;
  const held = mayLeave ? new HeldResponse(context) : undefined;
  // Koa answers 404 as soon as its middleware has finished, unless `respond` is false.
  if (held === undefined) context.respond = false;
  return new Promise((resolve, reject) => {
    handle({
      req,
      res,
      url: req.url ?? '/',
      originalUrl,
      context,
      // Koa's body parsers put their result there.
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
