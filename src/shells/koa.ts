import type { Context, Middleware } from 'koa';
import { type App, middlewareOf, type ShellOptions } from './shell-options.ts';

/** Options of `koaServe()`. The hooks `locals` and `call` get Koa's context. */
export type KoaServeOptions = ShellOptions<Context>;

/** Middleware for Koa. */
export interface KoaServe extends Middleware {
  /** Resolves once the app can serve; rejects with `SERVE_DEPLOY_FAILED`. */
  ready(): Promise<void>;
}

/**
 * An app as Koa middleware: `app.use(mount('/speech', koaServe(speech)))` with `koa-mount`, or under a route. The answer is
 * written to `ctx.res` while `ctx.respond` is false, and the promise settles with it. With `onError: 'next'` it throws.
 *
 * @param app default: all running apps, by their `routePrefix`
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function koaServe(app?: App, options: KoaServeOptions = {}): KoaServe {
  return middlewareOf(app, options);
}
