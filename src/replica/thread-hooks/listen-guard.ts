import { Server } from 'node:net';
import { ServeError } from '../../errors.ts';

/**
 * A replica imports the module of its deployment. If that module also starts the app's server, every replica would fight
 * for the port; until the replica is ready `listen()` says so instead.
 *
 * @returns takes the guard away
 */
export function guardListen(): () => void {
  const original = Server.prototype.listen;
  Server.prototype.listen = function guarded(): never {
    throw mainInWorker('server.listen()');
  };
  return () => {
    Server.prototype.listen = original;
  };
}

export function mainInWorker(what: string): ServeError {
  return new ServeError(
    'SERVE_MAIN_IN_WORKER',
    `${what} was called while a replica imported this module: move the deployment to its own module, ` +
      'or guard the server with `if (import.meta.main)`',
  );
}
