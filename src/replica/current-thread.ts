import type { Router } from '../handle/routing/router.ts';

const KEY = Symbol.for('inserve.replicaThread');

/** Marks this thread as that of a replica. The mark is on `globalThis`, so that every copy of the package sees it. */
export function enterReplicaAgent(router: Router): void {
  Object.defineProperty(globalThis, KEY, { value: router });
}

/** The router of this thread if it is a replica's. */
export function replicaRouter(): Router | undefined {
  return Reflect.get(globalThis, KEY) as Router | undefined;
}
