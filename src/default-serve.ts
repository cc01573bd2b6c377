import { createHandle } from './handle/handle.ts';
import type { DeploymentHandle } from './handle/types.ts';
import { mainInWorker } from './replica/listen-guard.ts';
import { replicaRouter } from './replica/thread-role.ts';
import { createServe, type Serve } from './serve.ts';

let made: Serve | undefined;

/** In a replica only handles can be had. */
const inReplica = {
  handle<T>(name: unknown, options: { app?: string } = {}): DeploymentHandle<T> {
    const router = replicaRouter();
    if (typeof name !== 'string' || router === undefined) throw mainInWorker('serve.handle(boundDeployment)');
    return options.app === undefined
      ? createHandle<T>(router, name, '')
      : createHandle<T>(router, options.app, name);
  },
};

/**
 * The default instance: made at its first use, configured by environment. In a replica's thread `serve.handle(name)`
 * works, everything else is `SERVE_MAIN_IN_WORKER`.
 */
export const serve: Serve = new Proxy({} as Serve, {
  get(_target, name) {
    if (replicaRouter() !== undefined) {
      if (name === 'handle') return inReplica.handle;
      if (typeof name === 'string' && name !== 'then') throw mainInWorker(`serve.${name}()`);
      return undefined;
    }
    made ??= createServe();
    const member: unknown = Reflect.get(made, name, made);
    return typeof member === 'function' ? member.bind(made) : member;
  },
});
