import { Server } from 'node:net';
import { mainInWorker } from './main-in-worker.ts';

/**
 * A replica imports the module of its deployment. If that module also starts the app's server, every replica would fight
 * for the port; until the replica is ready `listen()` says so instead.
 *
 * @returns takes the guard away
 */
export function guardListen(): () => void {
  const original = Server.prototype.listen;
  Server.prototype.listen = function guarded(): never {
    throw mainInWorker('server.listen()', 'is only available on the host, and in a replica that is ready');
  };
  return () => {
    Server.prototype.listen = original;
  };
}
