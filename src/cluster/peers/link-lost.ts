import { ServeError } from '../../errors.ts';

/** The error of calls that a link had sent, and that had no answer when the link ended. @param cause the reason, if known */
export function linkLost(instance: string, cause: unknown): ServeError {
  const message = `the link to instance ${instance} was lost before the answer came`;
  return new ServeError('SERVE_REPLICA_DIED', message, cause === undefined ? {} : { cause });
}
