import type { IncomingMessage, ServerResponse } from 'node:http';
import { type App, middlewareOf, type ShellOptions } from './shell-options.ts';

/** What `nodeServe()` takes; `locals` and `call` are given Node's request. */
export type NodeServeOptions = ShellOptions<IncomingMessage>;

export interface NodeServe {
  (req: IncomingMessage, res: ServerResponse): void;
  /** Resolves once the app can serve; rejects with `SERVE_DEPLOY_FAILED`. */
  ready(): Promise<void>;
}

/**
 * An app as the request listener of a `node:http` server: `createServer(nodeServe(speech))`. Nobody comes behind: what is
 * not the app's is 404.
 *
 * @param app default: all running apps, by their `routePrefix`
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function nodeServe(app?: App, options: NodeServeOptions = {}): NodeServe {
  return middlewareOf(app, options);
}
