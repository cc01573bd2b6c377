import { createHandle } from '../handle/api/handle.ts';
import type { DeploymentHandle } from '../handle/api/handle-types.ts';
import { replicaRouter } from './current-thread.ts';
import { mainInWorker } from './thread-hooks/main-in-worker.ts';

/**
 * `serve` and `createServe` for the thread of a replica. The build replaces `default-serve.ts` and `serve.ts` by this file in
 * `dist/thread/`, so that the host's half of the package is not loaded there.
 */
export const serve: object = new Proxy(
  {},
  {
    get(_target, name) {
      if (name === 'handle') return handle;
      if (typeof name === 'string' && name !== 'then') throw mainInWorker(`serve.${name}()`);
      return undefined;
    },
  },
);

/** @throws ServeError `SERVE_MAIN_IN_WORKER` */
export function createServe(): never {
  throw mainInWorker('createServe()');
}

/** `serve.handle`, the only member of `serve` that works in a replica. */
function handle<T>(name: unknown, options: { app?: string } = {}): DeploymentHandle<T> {
  const router = replicaRouter();
  if (typeof name !== 'string' || router === undefined) throw mainInWorker('serve.handle(boundDeployment)');
  return options.app === undefined
    ? createHandle<T>(router, name, '')
    : createHandle<T>(router, options.app, name);
}
