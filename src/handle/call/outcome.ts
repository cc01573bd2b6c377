import { ServeError } from '../../errors.ts';
import type { Outcome } from './call-stats.ts';

/** Returns the outcome of a call that failed with this error; the `outcome` label of the metrics. */
export function outcomeOf(error: unknown): Outcome {
  if (!(error instanceof ServeError)) return 'error';
  switch (error.code) {
    case 'SERVE_TIMEOUT':
      return 'timeout';
    case 'SERVE_CANCELLED':
      return 'cancelled';
    case 'SERVE_REPLICA_DIED':
      return 'died';
    case 'SERVE_BACKPRESSURE':
    case 'SERVE_UNAVAILABLE':
    case 'SERVE_DEPLOY_FAILED':
    case 'SERVE_NOT_FOUND':
      return 'rejected';
    default:
      return 'error';
  }
}
