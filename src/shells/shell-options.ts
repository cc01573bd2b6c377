import type { IncomingMessage } from 'node:http';
import type { BoundDeployment, Exposable, MiddlewareOptions, Serve, ServeMiddleware } from '../index.ts';
import { serve as defaultServe } from '../index.ts';

/** Options of every shell other than the app. */
export interface ShellOptions<Req = IncomingMessage> extends MiddlewareOptions<Req> {
  /** The instance that runs the app. Default: `serve`. */
  serve?: Serve;
}

/** The app: a bound deployment, a name, or undefined for all running apps by their `routePrefix`. */
export type App = (BoundDeployment<unknown> & Exposable) | string | undefined;

export function middlewareOf<Req>(app: App, options: ShellOptions<Req>): ServeMiddleware {
  const { serve = defaultServe, ...rest } = options;
  return serve.middleware(app, rest as MiddlewareOptions<Req>);
}
