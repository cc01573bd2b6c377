import { methodLabel } from '../../channel/method-names.ts';
import { ServeError, type ServeErrorCode } from '../../errors.ts';
import type { Destination } from './destination.ts';

/** The details of a call that its error reports. */
export interface FailingCall {
  readonly route: { readonly app: string; readonly deployment: string };
  readonly method: string;
  readonly requestId: string;
  readonly endpoint: Destination | undefined;
}

/** @param what happened, as text */
export function callError(
  { route: { app, deployment }, method, requestId, endpoint }: FailingCall,
  code: ServeErrorCode,
  what: string,
  more: object = {},
): ServeError {
  return new ServeError(code, `${deployment}.${methodLabel(method)}: ${what}`, {
    app,
    deployment,
    requestId,
    ...(endpoint === undefined ? {} : { replica: endpoint.replicaId }),
    ...more,
  });
}

/** The facts that decide whether a call whose replica is gone may be repeated. */
export interface Loss {
  /** Whether the call may have run, wholly or in part. */
  readonly started: boolean;
  readonly isIdempotent: boolean;
  /** Whether the error is only passed on, to the caller whose message says what became of the call. */
  readonly isPassedOn: boolean;
}

/**
 * Creates the error of a call whose replica is gone.
 *
 * @param cause the death reason that the host reports, or the failure of the channel
 */
export function replicaDied(call: FailingCall, cause: unknown, loss: Loss): ServeError {
  const retryable = !loss.started || loss.isIdempotent;
  const fate = loss.isPassedOn ? '' : `; ${fateOf(loss)}`;
  if (!(cause instanceof ServeError))
    return callError(call, 'SERVE_REPLICA_DIED', `replica ${call.endpoint?.replicaId} died${fate}`, {
      cause,
      retryable,
    });
  if (cause.code !== 'SERVE_REPLICA_DIED') return cause;
  const { app, deployment } = call.route;
  const what = loss.isPassedOn ? '' : `${deployment}.${methodLabel(call.method)}: `;
  return new ServeError('SERVE_REPLICA_DIED', `${what}${cause.message}${fate}`, {
    app,
    deployment,
    requestId: call.requestId,
    retryable,
    ...(cause.replica === undefined ? {} : { replica: cause.replica }),
    ...(cause.cause === undefined ? {} : { cause: cause.cause }),
  });
}

function fateOf({ started, isIdempotent }: Loss): string {
  if (!started) return 'the call has not run';
  return isIdempotent ? 'the call may have run, and may be repeated' : 'the call may have run';
}
