import { ServeError } from '../../errors.ts';
import { callScope } from './scope.ts';
import type { ServeContext } from './serve-context.ts';

let replicaContext: ServeContext | undefined;

/** @internal The replica of this thread, for code that runs outside a call. */
export function setReplicaContext(context: ServeContext | undefined): void {
  replicaContext = context;
}

/**
 * Returns the context of the current call, kept over every `await`; outside a call, the context of the replica.
 *
 * @throws ServeError `SERVE_NOT_FOUND` outside a replica
 */
export function context(): ServeContext {
  const scope = callScope.getStore();
  if (scope !== undefined) return scope.context;
  if (replicaContext !== undefined) return replicaContext;
  throw new ServeError('SERVE_NOT_FOUND', 'context() is only available inside a replica');
}
