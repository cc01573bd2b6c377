import type { Request, RequestHandler } from 'express';
import { type App, middlewareOf, type ShellOptions } from './shell-options.ts';

/** Options of `expressServe()`. The hooks `locals` and `call` get Express' request. */
export type ExpressServeOptions = ShellOptions<Request>;

/** Middleware for Express. */
export interface ExpressServe extends RequestHandler {
  /** Resolves once the app can serve; rejects with `SERVE_DEPLOY_FAILED`. */
  ready(): Promise<void>;
}

/**
 * An app as Express middleware: `app.use('/speech', expressServe(speech))`. The ingress sees the URL without the mount
 * path. The host's `trust proxy`, route parameters and error handlers apply.
 *
 * @param app default: all running apps, by their `routePrefix`
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function expressServe(app?: App, options: ExpressServeOptions = {}): ExpressServe {
  return middlewareOf(app, options);
}
