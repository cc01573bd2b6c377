import { ServeError } from '../errors.ts';

export function noReplica(app: string, deployment: string): ServeError {
  return new ServeError('SERVE_UNAVAILABLE', `${deployment}: no replica runs`, { app, deployment });
}
