import type { IncomingMessage, ServerResponse } from 'node:http';
import { type App, middlewareOf, type ShellOptions } from './shell-options.ts';

/** Options of `nodeServe()`. The hooks `locals` and `call` get Node's request. */
export type NodeServeOptions = ShellOptions<IncomingMessage>;

/** A request listener of `node:http`. */
export interface NodeServe {
  (req: IncomingMessage, res: ServerResponse): void;
  /** Resolves once the app can serve; rejects with `SERVE_DEPLOY_FAILED`. */
  ready(): Promise<void>;
}

/**
 * An app as the request listener of a `node:http` server: `createServer(nodeServe(speech))`. There is no next handler:
 * requests that are not for the app get 404.
 *
 * @param app default: all running apps, by their `routePrefix`
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function nodeServe(app?: App, options: NodeServeOptions = {}): NodeServe {
  return middlewareOf(app, options);
}
