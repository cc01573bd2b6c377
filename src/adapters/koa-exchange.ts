import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HostContext, HostExchange } from './exchange.ts';

/** What of Koa's context is needed here, so that nobody has to install Koa's types. */
export interface KoaContext extends HostContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly originalUrl: string;
  readonly request: object;
  respond?: boolean | undefined;
}

export type KoaNext = () => Promise<unknown>;

/**
 * As Koa hands an exchange over. The promise ends with the exchange, so that middleware in front measures all of it; it
 * rejects where others would be called with an error.
 */
export function fromKoa(
  context: KoaContext,
  next: KoaNext,
  handle: (exchange: HostExchange) => void,
): Promise<void> {
  const { req, res, request, originalUrl, respond } = context;
  // Koa answers 404 as soon as its middleware is through, unless it is told that somebody else answers.
  context.respond = false;
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
        context.respond = respond;
        if (error === undefined) next().then(() => resolve(), reject);
        else reject(error);
      },
      settled: resolve,
    });
  });
}
